//! The remoting protocol (TCP).

pub mod batch;
pub mod body;
pub mod codes;
pub mod compression;
mod fastjson;
mod foreign;
pub mod frame;
pub mod header;
mod header_binary;
mod header_json;
mod recall;
pub mod record;
pub mod signature;
mod view;
mod wire;

pub use foreign::Foreign;
pub use frame::{ExtFields, Frame, Language, Serialization};
pub use recall::RecallHandle;
pub use view::decode_messages;
pub use wire::{DEFAULT_MAX_FRAME_BYTES, FrameError};
