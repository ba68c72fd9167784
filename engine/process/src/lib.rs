//! Starts, watches and ends process trees, and keeps the house of three processes that survives `kill -9`.
//!
//! Spawning is direct (`posix_spawn`), waiting is central ([`Reaper`]), ending is by tree ([`stop_tree`],
//! [`kill_tree`]), and whatever dies, what stands below is killed by the next one up ([`run_house`]). This crate is
//! the only one with Unix `unsafe`; it must not know what a step, a run or a manifest is.

mod background;
mod descriptors;
mod exit;
mod forms;
mod frame;
mod house;
mod identity;
mod isolate;
mod keeper;
mod link;
mod mask;
mod output;
mod reaper;
mod relay;
mod resolve;
mod scan;
mod spawn;
mod stop;
mod sweep;
mod sys;
mod tree;
mod watch;

pub use background::{Background, BackgroundChild};
pub use descriptors::{OpenDescriptor, inheritable_descriptors, shut_out_inherited};
pub use exit::{Exit, Usage, signal_name, signal_number};
pub use house::{EngineSide, HouseEnd, HouseError, HouseOptions, run_house};
pub use identity::{
    ancestors, boot_id, command_line, environ_value, identity_of, is_alive, own_identity, parent_of,
};
pub use isolate::{Isolation, IsolationError, enter_isolation, isolation_support};
pub use keeper::{Keeper, KeeperError, KeeperLine, KeeperOptions, KeptEnd, keep_if_asked, stop_kept};
pub use link::{LinkError, LinkServer, SupervisorLink, link_pair};
pub use mask::{MASK, Masker, Secrets};
pub use output::{CaptureLimits, Captured};
pub use reaper::{Child, Reaper, end_children};
pub use relay::{Relay, RelayChannel, RelayEnd, RelayHandle, pipe};
pub use resolve::{Programs, ResolveError, resolve_program};
pub use spawn::{Io, Spawn, SpawnError};
pub use stop::{Asked, Stop};
pub use tree::{
    Stopped, Tag, descendants, kill_tree, own_children, signal_process, signal_tree, stop_tree, tagged,
    tree_rss,
};
pub use watch::Watch;

/// Signals by their Unix names, for [`signal_tree`] and [`signal_process`].
pub use rustix::process::Signal;
