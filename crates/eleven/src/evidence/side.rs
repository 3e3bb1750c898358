//! Work on many things at once, on all cores, in their order.

use std::num::NonZero;

/// Does the same with each, and gives the results in the order of the things.
pub(crate) fn by_side<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = things.len().div_ceil(cores).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let begin = |share| scope.spawn(move || <[T]>::iter(share).map(work).collect::<Vec<R>>());
        let threads: Vec<_> = things.chunks(share).map(begin).collect();
        let end = |thread: std::thread::ScopedJoinHandle<'_, Vec<R>>| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(end).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::by_side;

    #[test]
    fn results_come_in_the_order_of_the_things() {
        for n in [0_u32, 1, 2, 7, 100] {
            let things: Vec<u32> = (0..n).collect();
            let doubled: Vec<u32> = things.iter().map(|n| n * 2).collect();
            assert_eq!(by_side(&things, |n| n * 2), doubled);
        }
    }
}
