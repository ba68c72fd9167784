//! How a framework is launched, asked and stopped: data files.
