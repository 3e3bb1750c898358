//! What the demo has summarised.

/// Three notes of the kind that people hand to a model.
pub(crate) const NOTES: [&str; 3] = [
    "The tide gauge in the harbour has recorded the water level every six minutes since 1908. For most of that time a \
     float moved a pen on paper, and somebody changed the paper every morning. The record shows the water level rising \
     by two millimetres a year until 1990 and by four millimetres a year since then. In 1953 a storm lifted the float \
     out of its well, and three days of the record are missing. The harbour's new wall was planned with the record of \
     the gauge: its height is the highest water level of a century, and one metre. The wall was painted green.",
    "The night shift reported that pump four stopped twice, at 01:12 and at 03:40. Both times the pressure behind the \
     filter had fallen below two bar before the pump stopped. The filter of pump four was last changed in March; the \
     filters of the other pumps were changed in August. The coffee machine is out of order again. After the second stop \
     the shift ran pump four without the filter for ten minutes, and the pressure stayed at three bar. The shift asks \
     that the filter of pump four be changed before the weekend.",
    "Apprentices learn first to sharpen. A dull plane tears the wood, and no skill of the hand makes up for it. The \
     stones lie in water overnight, the coarse stone for the nick, the fine stone for the edge. An edge is done when it \
     shaves the hair of an arm. In the second year the apprentices build a bench, and the bench is the one they work on \
     until they leave. The master keeps none of the benches. Who sharpens well builds a straight bench, and who builds \
     a straight bench needs no other examination.",
];

/// The `n`-th request's text: a note, numbered so that no two requests have the same bytes.
pub(crate) fn note(n: usize) -> String {
    format!("Note {n}. {}", NOTES[n % NOTES.len()])
}
