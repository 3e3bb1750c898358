use super::*;

#[test]
fn nothing_is_left_of_a_line_that_was_longer() {
    assert_eq!(over("99 %", 5), "\r99 % ");
    assert_eq!(over("100 %", 4), "\r100 %");
    assert_eq!(over("", 3), "\r   ");
}

#[test]
fn how_far_a_pass_is_is_told_also_where_there_is_nothing_to_go_over() {
    assert_eq!(far(Pass { doing: "copying", done: 5, of: 9 }), "copying:  55 %  5 of 9 records");
    assert_eq!(far(Pass { doing: "copying", done: 0, of: 0 }), "copying:   0 %  0 of 0 records");
}
