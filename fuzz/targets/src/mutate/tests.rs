use super::*;
use crate::TARGETS;
use std::collections::BTreeSet;

#[test]
fn the_same_seed_makes_the_same_inputs_and_another_seed_others() {
    let made = |seed: u64| {
        let target = TARGETS[0];
        let mut mutator = Mutator::new(seed, target.shape, (target.corpus)());
        (0..200).map(|_| mutator.input()).collect::<Vec<_>>()
    };
    assert_eq!(made(7), made(7));
    assert_ne!(made(7), made(8));
}

/// Were most inputs stopped by the first parser, nothing behind it would be tested.
#[test]
fn most_inputs_of_every_target_are_new_and_many_are_of_its_shape() {
    for target in TARGETS {
        let corpus = (target.corpus)();
        let known: BTreeSet<Vec<u8>> = corpus.iter().cloned().collect();
        let mut mutator = Mutator::new(1, target.shape, corpus);
        let inputs: Vec<Vec<u8>> = (0..400).map(|_| mutator.input()).collect();
        let new = inputs.iter().filter(|input| !known.contains(*input)).count();
        assert!(new > 100, "{}: {new} of 400 are new", target.name);
        let shaped = inputs.iter().filter(|input| unpack(target.shape, input, false).is_some()).count();
        assert!(target.shape == Shape::Text || shaped > 100, "{}: {shaped} of 400 are of its shape", target.name);
    }
}
