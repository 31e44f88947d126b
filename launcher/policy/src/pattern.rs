//! What all kinds of rule values have in common: they stand for sets that can be compared.

/// A value that stands for a set of resources.
pub trait Pattern {
    /// Whether everything that `other` stands for is in this set. May be `false` where it cannot be told.
    fn covers(&self, other: &Self) -> bool;

    /// Whether something may be in both sets. May be `true` where it cannot be told.
    fn meets(&self, other: &Self) -> bool;
}
