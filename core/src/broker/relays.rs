//! Requests that the broker passes on to a client, and whose answers it passes back.

use std::collections::HashMap;
use std::sync::Arc;

use super::outbox::Outbox;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::frame::FLAG_RESPONSE;

#[derive(Debug)]
struct Asker {
    outbox: Arc<Outbox>,
    opaque: i32,
}

/// The requests that clients have not answered yet, by connection and the broker's opaque.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    asked: HashMap<(u64, i32), Asker>,
    opaque: i32,
}

impl Relays {
    /// Passes `request`, which `from` sent, on to `to`.
    pub(crate) fn pass(&mut self, request: &Frame, from: &Arc<Outbox>, to: &Outbox) {
        self.opaque = self.opaque.wrapping_add(1);
        self.asked.insert((to.session, self.opaque), Asker { outbox: from.clone(), opaque: request.opaque });
        to.push(Frame { opaque: self.opaque, ..request.clone() });
    }

    /// Passes a client's answer back.
    pub(crate) fn answered(&mut self, from: &Outbox, answer: Frame) {
        match self.asked.remove(&(from.session, answer.opaque)) {
            Some(asker) => asker.outbox.push(Frame { opaque: asker.opaque, ..answer }),
            None => tracing::debug!(peer = %from.peer, opaque = answer.opaque, "an answer nobody waits for"),
        }
    }

    /// Answers for a client that is gone, and forgets what it asked.
    pub(crate) fn session_closed(&mut self, session: u64) {
        self.asked.retain(|(asked, _), asker| {
            if *asked == session {
                let gone = Frame {
                    code: response::CONSUMER_NOT_ONLINE,
                    flag: FLAG_RESPONSE,
                    opaque: asker.opaque,
                    ..Frame::default()
                };
                asker.outbox.push(gone.with_remark("the client closed its connection before it answered"));
            }
            *asked != session && asker.outbox.session != session
        });
    }
}
