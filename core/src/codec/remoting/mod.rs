//! The remoting protocol (TCP).

pub mod codes;
pub mod frame;

pub use frame::{ExtFields, Frame, Language, Serialization};
