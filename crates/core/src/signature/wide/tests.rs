use super::field::MASK;
use super::field::words_of;
use super::point::ROOT_OF_MINUS_ONE;
use super::*;
use fearless_simd::SimdBase as _;
use sha2::Digest as _;

/// Nothing of this module runs without the instructions.
fn with_lanes(test: impl FnOnce(Avx512)) {
    extern crate std;
    match Level::new().as_avx512() {
        Some(avx512) => test(avx512),
        None => std::eprintln!("skipped: this processor has no AVX-512 IFMA"),
    }
}

/// What a product is, word by word on paper.
fn product(x: [u64; 5], y: [u64; 5]) -> [u64; 5] {
    let mut columns = [0u128; 5];
    for (i, x) in x.iter().enumerate() {
        for (j, y) in y.iter().enumerate() {
            let product = u128::from(*x) * u128::from(*y);
            columns[(i + j) % 5] += if i + j < 5 { product } else { 19 * product };
        }
    }
    let mut carry = 0;
    for _ in 0..3 {
        for column in &mut columns {
            *column += carry;
            carry = *column >> 51;
            *column &= u128::from(MASK);
        }
        carry *= 19;
    }
    assert_eq!(carry, 0);
    reduced(columns.map(|column| column as u64))
}

fn hashed(n: u64) -> [u8; 64] {
    sha2::Sha512::digest(n.to_le_bytes()).into()
}

/// Elements with words at their bounds, and any.
fn elements() -> Vec<[u64; 5]> {
    const MOST: u64 = (1 << 52) - 1;
    let mut elements = vec![[MOST; 5], [0; 5], [1, 0, 0, 0, 0], [MASK - 18, MASK, MASK, MASK, MASK]];
    elements.extend((0..32).map(|bits: u64| array::from_fn(|at| if bits >> at & 1 == 1 { MOST } else { 0 })));
    elements.extend((0..32).map(|bits: u64| array::from_fn(|at| MASK - 18 + 18 * (bits >> at & 1))));
    elements.extend((0..400).map(|n| {
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(hashed(n).as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes) & MOST;
        }
        words
    }));
    elements
}

#[test]
fn elements_are_multiplied_added_and_subtracted_as_on_paper() {
    with_lanes(|avx512| {
        let all = elements();
        for (at, x) in all.iter().enumerate() {
            for eight in all[at % 64..].chunks_exact(8).take(12) {
                let others: [[u64; 5]; 8] = array::from_fn(|lane| eight[lane]);
                let (a, b) = (Field::of_lanes(avx512, [*x; 8]), Field::of_lanes(avx512, others));
                let results = [a * b, a + b, b.squared()].map(Field::lanes);
                for (lane, y) in eight.iter().enumerate() {
                    let sum = array::from_fn(|word| x[word] + y[word]);
                    let expected = [product(*x, *y), product(sum, [1, 0, 0, 0, 0]), product(*y, *y)];
                    for (result, expected) in results.iter().map(|lanes| lanes[lane]).zip(expected) {
                        assert_eq!(reduced(result), expected, "{x:?} {y:?}");
                        assert!(result.iter().all(|word| *word < (1 << 51) + (1 << 14)), "{x:?} {y:?}: {result:?}");
                    }
                }
                // A difference takes what an operation leaves.
                let (a, b) = (a + Field::small(avx512, 0), b + Field::small(avx512, 0));
                let back = (a - b + b).lanes().map(reduced);
                assert_eq!(back, [product(*x, [1, 0, 0, 0, 0]); 8]);
                assert_eq!((a - b + (b - a)).lanes().map(reduced), [[0; 5]; 8]);
            }
        }
    });
}

#[test]
fn an_inverse_and_a_root_are_what_they_say() {
    with_lanes(|avx512| {
        for eight in elements().chunks_exact(8) {
            let x = Field::of_lanes(avx512, array::from_fn(|lane| eight[lane]));
            for (lane, one) in (x * x.inverse()).lanes().map(reduced).into_iter().enumerate() {
                let is_nothing = product(eight[lane], [1, 0, 0, 0, 0]) == [0; 5];
                assert_eq!(one, [u64::from(!is_nothing), 0, 0, 0, 0]);
            }
            // The power of 2^252 - 3, squared three times more and with five others, is that of 2^255 - 19.
            let power = x.root_power().squared().squared().squared();
            assert_eq!((power * x.squared().squared() * x).lanes().map(reduced), x.lanes().map(reduced));
        }
        let root = Field::splat(avx512, ROOT_OF_MINUS_ONE);
        assert_eq!((root * root + Field::small(avx512, 1)).lanes().map(reduced), [[0; 5]; 8]);
    });
}

#[test]
fn words_and_bytes_are_the_same_number() {
    for n in 0..1000 {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&hashed(n)[..32]);
        bytes[31] &= 0x7f;
        assert_eq!(bytes_of(&words_of(&bytes)), bytes);
    }
    // The modulus and the eighteen numbers above it are below it again.
    for more in 0..19 {
        assert_eq!(reduced([MASK - 18 + more, MASK, MASK, MASK, MASK]), [more, 0, 0, 0, 0]);
    }
    assert_eq!(reduced([MASK - 19, MASK, MASK, MASK, MASK]), [MASK - 19, MASK, MASK, MASK, MASK]);
}

#[test]
fn rows_become_columns() {
    with_lanes(|avx512| {
        let rows = array::from_fn(|row| Words::from_fn(avx512, |column| (10 * row + column) as u64));
        for (row, words) in transposed(rows).into_iter().enumerate() {
            assert_eq!(<[u64; 8]>::from(words), array::from_fn(|column| (10 * column + row) as u64));
        }
    });
}

#[test]
fn equations_come_out_as_the_library_s() {
    with_lanes(|_| {
        let mut scalars: Vec<Scalar> = (0..140u32).flat_map(|n| [Scalar::from(n), -Scalar::from(n)]).collect();
        // Every power of two, and one less: each digit at its edges, carries through all rows.
        let mut power = Scalar::ONE;
        for _ in 0..253 {
            scalars.extend([power, power - Scalar::ONE, -power]);
            power += power;
        }
        scalars.extend((0..200).map(|n| Scalar::from_bytes_mod_order_wide(&hashed(n))));
        let points = [1u64, 2, 77].map(|n| EdwardsPoint::mul_base(&Scalar::from_bytes_mod_order_wide(&hashed(n))));
        let tables = points.map(|point| Table::of_point(&point).expect("multiplies as the library does"));
        // In batches of every size up to three registers and one.
        let (mut rest, mut size) = (&scalars[..], 0);
        while !rest.is_empty() {
            size = size % 25 + 1;
            let (batch, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            let other = |at: usize| scalars[(at * 31 + size) % scalars.len()];
            let equations = batch.iter().enumerate();
            let equations: Vec<Equation<'_>> =
                equations.map(|(at, k)| Equation { s: other(at), k: *k, table: &tables[at % 3] }).collect();
            let expected = batch.iter().enumerate().map(|(at, k)| {
                EdwardsPoint::vartime_double_scalar_mul_basepoint(k, &points[at % 3], &other(at)).compress().0
            });
            let expected: Vec<[u8; 32]> = expected.collect();
            assert_eq!(encode_each(&equations), expected);
            let plain = equations.iter().enumerate().map(|(at, Equation { s, k, .. })| untabled::Equation {
                s: *s,
                k: *k,
                minus: points[at % 3].compress().0,
            });
            let in_lanes = untabled::encode_each(&plain.collect::<Vec<_>>());
            assert_eq!(in_lanes.as_ref(), (batch.len() > 1).then_some(&expected));
        }
        assert!(encode_each(&[]).is_empty());
        assert_eq!(untabled::encode_each(&[]), None);
    });
}
