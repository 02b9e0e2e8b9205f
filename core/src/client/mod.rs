//! Life cycle, heartbeat, retry and the consuming engine.
