//! What everything here is made of, as this machine does it at this hour: figures of two machines, or of two hours of one,
//! are compared by these.

use crate::keystore;
use eleven_core::hash::Sha3;
use eleven_core::signature::{Signer, Tables, VerifyingKey};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each is done, on one core and on all.
const LASTS: Duration = Duration::from_millis(150);
/// How often it is done between two looks at the clock.
const AT_ONCE: u32 = 16;

/// A primitive and its time in microseconds.
pub(crate) struct Primitive {
    pub(crate) name: &'static str,
    /// Where one core does nothing else and the others nothing.
    pub(crate) alone: f64,
    /// On each core while all do the same: more where they share what they compute with.
    pub(crate) together: f64,
}

/// Measures them, in a second or two.
///
/// # Errors
/// Where no key can be made.
pub(crate) fn measure() -> Result<Vec<Primitive>, String> {
    let signer = keystore::in_memory("bench", &[0x11; 32]).ok_or("the library of primitives takes no key")?;
    let message = [0x5a; 700];
    let signature = signer.sign(&message);
    let key = VerifyingKey::new(&signer.public()).ok_or("the key verifies nothing")?;
    let with_table = key.clone().with_table(&Tables::new(1));
    let kilobyte = [0x5a; 1024];
    Ok(vec![
        time("Ed25519 verification", || key.verifies(black_box(&message), &signature)),
        time("the same, key with a table", || with_table.verifies(black_box(&message), &signature)),
        time("Ed25519 signature", || signer.sign(black_box(&message))),
        time("SHA3-512 of 1 KB", || Sha3::of(&[black_box(&kilobyte)])),
    ])
}

fn time<T>(name: &'static str, work: impl Fn() -> T + Sync) -> Primitive {
    let alone = repeat(&work);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let all: Vec<f64> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(|| repeat(&work))).collect();
        let own = repeat(&work);
        others.into_iter().filter_map(|other| other.join().ok()).chain([own]).collect()
    });
    Primitive { name, alone, together: all.iter().sum::<f64>() / all.len() as f64 }
}

/// Microseconds of one of many.
fn repeat<T>(work: &impl Fn() -> T) -> f64 {
    let (begun, mut times) = (Instant::now(), 0u32);
    while begun.elapsed() < LASTS {
        (0..AT_ONCE).for_each(|_| drop(black_box(work())));
        times += AT_ONCE;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_primitive_is_done_and_takes_time() {
        let measured = measure().expect("a key");
        assert!(measured.iter().all(|one| one.alone > 0.0 && one.together > 0.0));
        assert_eq!(measured.len(), 4);
    }
}
