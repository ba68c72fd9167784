//! Datasets against real tokenizers and real files.

mod exact;
mod files;
mod hostile;
mod schema;
mod shapes;
mod speed;
mod tokenizers;
