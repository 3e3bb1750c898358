use super::*;

#[test]
fn an_operation_is_found_in_whatever_names_it() {
    let op = "9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM4Z.7";
    assert_eq!(operation_of_lineage(&lineage_name(op)), Some(op));
    assert_eq!(operation_of_lineage(op), None);
    for text in [op, &lineage_name(op), &format!("auth_{op}")] {
        assert_eq!(operation_at_hand(text), op);
    }
    assert_eq!(operation_at_hand("lineage://op/nobody's"), "nobody's", "of what form it is is another's to say");
}

#[test]
fn a_digit_is_worth_its_place_in_the_alphabet() {
    for byte in 0..=u8::MAX {
        let place = ALPHABET.iter().position(|digit| *digit == byte);
        assert_eq!(digit_value(byte).map(usize::from), place, "{byte:#x}");
    }
}
