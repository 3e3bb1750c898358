//! A list that only grows, in pieces: growing never copies what is there, and never asks for twice the room.

/// Items of one piece.
const PIECE: usize = 4096;

/// The list.
#[derive(Clone, Debug)]
pub(crate) struct Chunked<T>(Vec<Vec<T>>);

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunked<T> {
    /// How many items there are.
    pub(crate) fn len(&self) -> u64 {
        let last = self.0.last().map_or(0, Vec::len);
        (self.0.len().saturating_sub(1) * PIECE + last) as u64
    }

    /// The item at `at`, counted from 0.
    pub(crate) fn get(&self, at: u64) -> Option<&T> {
        let at = usize::try_from(at).ok()?;
        self.0.get(at / PIECE)?.get(at % PIECE)
    }

    /// All items, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// How many items at the beginning `before` holds for; it holds for none behind one that it does not hold for.
    pub(crate) fn partition_point(&self, before: impl Fn(&T) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle) {
                Some(item) if before(item) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, item: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < PIECE => last.push(item),
            // The first piece of a short list grows as a list does.
            None => self.0.push(vec![item]),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(item);
                self.0.push(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_added_in_order() {
        let mut list = Chunked::default();
        for n in 0..10_000u64 {
            assert_eq!((list.len(), list.get(n)), (n, None));
            list.push(n);
        }
        assert!((0..10_000).all(|n| list.get(n) == Some(&n)));
        assert_eq!(list.get(u64::MAX), None);
        for n in [0, 1, 4095, 4096, 4097, 9999, 10_000] {
            assert_eq!(list.partition_point(|item| *item < n), n);
        }
        assert_eq!(list.partition_point(|_| true), 10_000);
    }
}
