//! The form of a saved state: fields one after the other, numbers little-endian and of fixed width, lists behind their length, maps
//! in the order of their keys; so two states that are the same have the same bytes.

use crate::chunked::Chunked;
use eleven_core::chain::ChainValue;
use eleven_core::event::Tip;
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::index::OperationIndex;
use eleven_core::lineage::{Lineage, Stage};
use eleven_core::time::Time;
use eleven_core::tree::{Hashes as _, MemoryTree};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::io::{self, ErrorKind, Read, Write};

/// Hashed at a time.
const BLOCK: usize = 1 << 20;

/// What can be saved and loaded.
pub(crate) trait Save: Sized {
    /// Writes it.
    ///
    /// # Errors
    /// Those of what is written to.
    fn save(&self, out: &mut Out<'_>) -> io::Result<()>;

    /// Reads it.
    ///
    /// # Errors
    /// Those of what is read from; [`ErrorKind::InvalidData`] or [`ErrorKind::UnexpectedEof`] where it is not of this form.
    fn load(from: &mut In<'_>) -> io::Result<Self>;
}

/// [`Save`] for a structure, field by field, but for those that follow from others and are empty at first.
macro_rules! saved_fields {
    ($name:ident { $($field:ident),+ $(,)? } $(but $($left:ident),+)?) => {
        impl $crate::saved::Save for $name {
            fn save(&self, out: &mut $crate::saved::Out<'_>) -> std::io::Result<()> {
                // None is forgotten.
                let Self { $($field),+ $(, $($left: _),+)? } = self;
                $($crate::saved::Save::save($field, out)?;)+
                Ok(())
            }

            fn load(from: &mut $crate::saved::In<'_>) -> std::io::Result<Self> {
                $(let $field = $crate::saved::Save::load(from)?;)+
                Ok(Self { $($field),+ $(, $($left: Default::default()),+)? })
            }
        }
    };
}
/// [`Save`] for a structure of one nameless field.
macro_rules! saved_inner {
    ($($name:ident),+) => {
        $(impl $crate::saved::Save for $name {
            fn save(&self, out: &mut $crate::saved::Out<'_>) -> std::io::Result<()> {
                $crate::saved::Save::save(&self.0, out)
            }

            fn load(from: &mut $crate::saved::In<'_>) -> std::io::Result<Self> {
                Ok(Self($crate::saved::Save::load(from)?))
            }
        })+
    };
}
pub(crate) use {saved_fields, saved_inner};

/// Where a state is written to. What goes there is hashed block by block.
pub(crate) struct Out<'a> {
    to: &'a mut dyn Write,
    block: Vec<u8>,
    digests: Vec<u8>,
}

impl<'a> Out<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Self { to, block: Vec::with_capacity(BLOCK), digests: Vec::new() }
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.digests.extend_from_slice(&Sha256::of(&[&self.block]).0);
        self.to.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// Writes what is left; the hash of all.
    pub(crate) fn finish(mut self) -> io::Result<Sha256> {
        self.flush()?;
        Ok(Sha256::of(&[&self.digests]))
    }
}

/// Where a state is read from: so many bytes of it. Nothing that was read counts before [`In::finish`] says what it was.
pub(crate) struct In<'a> {
    from: &'a mut dyn Read,
    left: u64,
    block: Vec<u8>,
    at: usize,
    digests: Vec<u8>,
}

impl<'a> In<'a> {
    pub(crate) fn new(from: &'a mut dyn Read, bytes: u64) -> Self {
        Self { from, left: bytes, block: Vec::new(), at: 0, digests: Vec::new() }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.at == self.block.len() {
                self.next_block()?;
            }
            let here = &self.block[self.at..];
            let (now, later) = bytes.split_at_mut(here.len().min(bytes.len()));
            now.copy_from_slice(&here[..now.len()]);
            self.at += now.len();
            bytes = later;
        }
        Ok(())
    }

    fn next_block(&mut self) -> io::Result<()> {
        let length = usize::try_from(self.left.min(BLOCK as u64)).unwrap_or(BLOCK);
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.block.resize(length, 0);
        self.from.read_exact(&mut self.block)?;
        self.digests.extend_from_slice(&Sha256::of(&[&self.block]).0);
        (self.left, self.at) = (self.left - length as u64, 0);
        Ok(())
    }

    /// The hash of all that was there.
    ///
    /// # Errors
    /// Where there is more than was read.
    pub(crate) fn finish(mut self) -> io::Result<Sha256> {
        if self.left > 0 || self.at < self.block.len() {
            return Err(invalid());
        }
        if self.block.len() == BLOCK || self.digests.is_empty() {
            // The writer's last block is one without anything then.
            self.digests.extend_from_slice(&Sha256::of(&[]).0);
        }
        Ok(Sha256::of(&[&self.digests]))
    }
}

/// It is not of the form.
pub(crate) fn invalid() -> io::Error {
    ErrorKind::InvalidData.into()
}

macro_rules! saved_numbers {
    ($($number:ty),+) => {
        $(impl Save for $number {
            fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
                out.put(&self.to_le_bytes())
            }

            fn load(from: &mut In<'_>) -> io::Result<Self> {
                from.take().map(<$number>::from_le_bytes)
            }
        })+
    };
}
saved_numbers!(u8, u32, u64, i64);

impl<const N: usize> Save for [u8; N] {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(self)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        from.take()
    }
}

saved_inner!(Sha256, Sha3, Blake2b, Time);
saved_fields!(ChainValue { hash, hash_alt });
saved_fields!(Tip { n, hash, hash_alt });

impl Save for bool {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        u8::from(*self).save(out)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        match u8::load(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(invalid()),
        }
    }
}

impl<T: Save> Save for Option<T> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.is_some().save(out)?;
        self.as_ref().map_or(Ok(()), |value| value.save(out))
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        if bool::load(from)? { T::load(from).map(Some) } else { Ok(None) }
    }
}

impl<T: Save> Save for Box<T> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        T::save(self, out)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        T::load(from).map(Self::new)
    }
}

impl<A: Save, B: Save> Save for (A, B) {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.0.save(out)?;
        self.1.save(out)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        Ok((A::load(from)?, B::load(from)?))
    }
}

/// Writes items behind their number.
pub(crate) fn save_each<'a, T: Save + 'a>(
    out: &mut Out<'_>,
    length: u64,
    items: impl Iterator<Item = &'a T>,
) -> io::Result<()> {
    length.save(out)?;
    items.into_iter().try_for_each(|item| item.save(out))
}

/// Reads items that stand behind their number.
pub(crate) fn load_each<T: Save>(from: &mut In<'_>, mut take: impl FnMut(T)) -> io::Result<()> {
    let length = u64::load(from)?;
    for _ in 0..length {
        take(T::load(from)?);
    }
    Ok(())
}

impl<T: Save> Save for Vec<T> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        save_each(out, self.len() as u64, self.iter())
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut list = Self::new();
        load_each(from, |item| list.push(item))?;
        Ok(list)
    }
}

impl Save for String {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        (self.len() as u64).save(out)?;
        out.put(self.as_bytes())
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        Self::from_utf8(Vec::load(from)?).map_err(|_| invalid())
    }
}

impl<T: Save + Ord> Save for BTreeSet<T> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        save_each(out, self.len() as u64, self.iter())
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut set = Self::new();
        load_each(from, |item| _ = set.insert(item))?;
        Ok(set)
    }
}

impl Save for BTreeMap<u64, u64> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        (self.len() as u64).save(out)?;
        self.iter().try_for_each(|(key, value)| (*key, *value).save(out))
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut map = Self::new();
        load_each(from, |(key, value)| _ = map.insert(key, value))?;
        Ok(map)
    }
}

impl<K: Save + Ord + Hash, V: Save> Save for HashMap<K, V> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        let mut rows: Vec<(&K, &V)> = self.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        (rows.len() as u64).save(out)?;
        rows.into_iter().try_for_each(|(key, value)| {
            key.save(out)?;
            value.save(out)
        })
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut map = Self::new();
        load_each(from, |(key, value)| _ = map.insert(key, value))?;
        Ok(map)
    }
}

impl<T: Save> Save for Chunked<T> {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        save_each(out, self.len(), self.iter())
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut list = Self::default();
        load_each(from, |item| list.push(item))?;
        Ok(list)
    }
}

/// By its leaves: the nodes above are hashed again.
impl Save for MemoryTree {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.size().save(out)?;
        (0..self.size()).try_for_each(|seq| self.node(0, seq).ok_or_else(invalid)?.save(out))
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut tree = Self::new();
        load_each(from, |leaf| tree.append(leaf))?;
        Ok(tree)
    }
}

/// By its leaves, likewise.
impl Save for OperationIndex {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        (self.len() as u64).save(out)?;
        self.iter().try_for_each(|(key, value)| (*key, *value).save(out))
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        let mut index = Self::new();
        load_each(from, |(key, value)| _ = index.insert(key, value))?;
        index.rehash();
        Ok(index)
    }
}

impl Save for Stage {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        let (number, digest): (u8, Option<Sha3>) = match self {
            Self::Issued => (0, None),
            Self::Consumed => (1, None),
            Self::Granted => (2, None),
            Self::Started => (3, None),
            Self::Attested(digest) => (4, Some(*digest)),
            Self::Ended(digest) => (5, *digest),
            Self::Closed => (6, None),
        };
        number.save(out)?;
        digest.save(out)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        match (u8::load(from)?, Option::load(from)?) {
            (0, None) => Ok(Self::Issued),
            (1, None) => Ok(Self::Consumed),
            (2, None) => Ok(Self::Granted),
            (3, None) => Ok(Self::Started),
            (4, Some(digest)) => Ok(Self::Attested(digest)),
            (5, digest) => Ok(Self::Ended(digest)),
            (6, None) => Ok(Self::Closed),
            _ => Err(invalid()),
        }
    }
}

impl Save for Lineage {
    fn save(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.stage.save(out)?;
        self.tip.save(out)?;
        self.point.save(out)?;
        self.binding().save(out)
    }

    fn load(from: &mut In<'_>) -> io::Result<Self> {
        Ok(Self::resumed(Save::load(from)?, Save::load(from)?, Save::load(from)?, Save::load(from)?))
    }
}
