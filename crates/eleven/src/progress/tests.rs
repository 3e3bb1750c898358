use super::*;

#[test]
fn nothing_is_left_of_a_line_that_was_longer() {
    assert_eq!(over("99 %", 5), "\r99 % ");
    assert_eq!(over("100 %", 4), "\r100 %");
    assert_eq!(over("", 3), "\r   ");
}
