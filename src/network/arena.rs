//! Typed ids and the arena they index.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// Names an entry of an [`Arena<T>`]. Four bytes, also as an `Option`.
pub struct Id<T> {
    plus_one: NonZeroU32,
    marker: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Position in the arena.
    pub fn index(self) -> usize {
        self.plus_one.get() as usize - 1
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.plus_one == other.plus_one
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.plus_one.cmp(&other.plus_one)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.plus_one.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.index())
    }
}

/// A vector whose entries are named by [`Id`]s and never move or vanish.
#[derive(Clone, Debug)]
pub struct Arena<T> {
    entries: Vec<T>,
}

impl<T> Arena<T> {
    /// Adds an entry.
    ///
    /// # Panics
    /// With 2^32 − 1 entries, which no model that fits in memory reaches.
    #[expect(clippy::expect_used, reason = "an arena this long does not fit in memory")]
    pub fn add(&mut self, entry: T) -> Id<T> {
        self.entries.push(entry);
        let plus_one = u32::try_from(self.entries.len())
            .ok()
            .and_then(NonZeroU32::new)
            .expect("arena is full");
        Id { plus_one, marker: PhantomData }
    }

    /// Every id, dead ones included.
    pub fn ids(&self) -> impl Iterator<Item = Id<T>> + use<T> {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        (1..=count).filter_map(NonZeroU32::new).map(|plus_one| Id { plus_one, marker: PhantomData })
    }

    /// Number of entries, dead ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every entry, dead ones included.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.entries.iter()
    }

    /// The entry, or `None` where the id belongs to another arena.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.entries.get(id.index())
    }
}

impl<'a, T> IntoIterator for &'a Arena<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}
impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;
    fn index(&self, id: Id<T>) -> &T {
        &self.entries[id.index()]
    }
}
impl<T> IndexMut<Id<T>> for Arena<T> {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        &mut self.entries[id.index()]
    }
}
