//! One story per command.

pub(crate) mod doctor;
pub(crate) mod narrow;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod spawn;
