//! The gates, one file each. A gate looks at one thing and tells what it found against the subject; it must not know which gate comes next.

pub mod abi;
pub mod accuracy;
pub mod again;
pub mod alias;
pub mod build;
pub mod commit;
pub mod determinism;
pub mod device;
pub mod leaks;
pub mod load;
pub mod locks;
pub mod locks_again;
pub mod memcheck;
pub mod plausibility;
pub mod sanitizer;
pub mod special;
pub mod stale;
pub mod statics;
pub mod timing;
pub mod values;
