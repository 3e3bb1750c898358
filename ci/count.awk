# The numbers that the tools of a stage printed about themselves: "passed failed skipped". `status` is the stage's exit
# status. A stage whose tools count nothing is one case; one that counted and has nothing to show for it has failed, and so has
# one that failed without a counted failure.
function number(pattern,   text) {
    if (!match($0, pattern)) return 0
    text = substr($0, RSTART, RLENGTH)
    gsub(/[^0-9]/, "", text)
    return text + 0
}
# cargo nextest: "Summary [ 1.0s] 12 tests run: 11 passed, 1 failed, 2 skipped"
/Summary \[/ {
    counted = 1; p += number("[0-9]+ passed"); f += number("[0-9]+ failed") + number("[0-9]+ timed out"); s += number("[0-9]+ skipped")
    next
}
# cargo test: "test result: ok. 3 passed; 0 failed; 1 ignored; ..."
/^test result: / {
    counted = 1; p += number("[0-9]+ passed"); f += number("[0-9]+ failed"); s += number("[0-9]+ ignored")
    next
}
# conformance runners, client tests, stages: "450 passed, 0 failed", "2 passed, 0 failed, 1 skipped"
/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
    counted = 1; p += number("[0-9]+ passed"); f += number("[0-9]+ failed"); s += number("[0-9]+ skipped")
    next
}
# unittest: "Ran 45 tests in 0.3s", then "OK", "OK (skipped=3)" or "FAILED (failures=1, errors=2, skipped=3)"
/^Ran [0-9]+ tests? in / { counted = 1; p += number("Ran [0-9]+"); next }
/^(OK|FAILED) \(/ {
    bad = number("failures=[0-9]+") + number("errors=[0-9]+"); left = number("skipped=[0-9]+")
    f += bad; s += left; p -= bad + left
    next
}
END {
    if (!counted && status == 0) p = 1
    if (f == 0 && (status != 0 || p + s == 0)) f = 1
    print p + 0, f + 0, s + 0
}
