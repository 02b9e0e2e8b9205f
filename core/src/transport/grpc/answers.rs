//! Calls: one framed message out, answers and the closing status in.

use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, StatusCode};
use prost::Message;

use super::connection::Connection;
use super::refusal::rpc_fault;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::transport::Fault;

/// A flag for compression, and the length.
const PREFIX_BYTES: usize = 5;
/// A longer answer is not one of RocketMQ's.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// `message` as gRPC frames it.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    message.encode_raw(&mut frame);
    frame.freeze()
}

/// The answers of one call, as they arrive. Dropping it cancels the call.
pub(crate) struct Answers<T> {
    operation: &'static str,
    connection: Connection,
    state: State,
    buffer: BytesMut,
    answer: PhantomData<fn() -> T>,
}

enum State {
    Asked(ResponseFuture),
    Reading(RecvStream),
    Ended,
}

impl<T: Message + Default> Answers<T> {
    pub(super) fn new(operation: &'static str, connection: Connection, response: ResponseFuture) -> Self {
        let state = State::Asked(response);
        Self { operation, connection, state, buffer: BytesMut::new(), answer: PhantomData }
    }

    /// The next answer; `None` when the call has ended well. Cancel-safe.
    ///
    /// # Errors
    /// How the call or the connection ended otherwise: the request may have been handled, unless the server says that
    /// it was not.
    pub(crate) async fn next(&mut self) -> Result<Option<T>> {
        let result = self.advance().await;
        if !matches!(result, Ok(Some(_))) {
            self.state = State::Ended;
        }
        result
    }

    async fn advance(&mut self) -> Result<Option<T>> {
        loop {
            match &mut self.state {
                State::Asked(response) => {
                    let response = match response.await {
                        Ok(response) => response,
                        Err(error) => return Err(self.broken(&error)),
                    };
                    self.connection.answered();
                    let (head, body) = response.into_parts();
                    self.check_head(head.status, &head.headers)?;
                    self.state = State::Reading(body);
                }
                State::Reading(body) => {
                    if let Some(message) = take_message(&mut self.buffer) {
                        let message = message.and_then(|m| T::decode(m).map_err(|e| e.to_string()));
                        return message.map(Some).map_err(|why| self.error(ErrorKind::Protocol, &why));
                    }
                    match body.data().await {
                        Some(Ok(chunk)) => {
                            // It fails only on a stream that has ended.
                            let _ = body.flow_control().release_capacity(chunk.len());
                            self.buffer.extend_from_slice(&chunk);
                        }
                        Some(Err(error)) => return Err(self.broken(&error)),
                        None => {
                            let trailers = match body.trailers().await {
                                Ok(trailers) => trailers.unwrap_or_default(),
                                Err(error) => return Err(self.broken(&error)),
                            };
                            return self.check_status(&trailers).map(|()| None);
                        }
                    }
                }
                State::Ended => return Ok(None),
            }
        }
    }

    /// An answer without body says its status here.
    fn check_head(&self, status: StatusCode, headers: &HeaderMap) -> Result<()> {
        let is_grpc = headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        if status == StatusCode::OK && is_grpc {
            return if headers.contains_key("grpc-status") { self.check_status(headers) } else { Ok(()) };
        }
        let address = self.address();
        let text = format!(
            "{address} answers in HTTP/2 but not in gRPC (status {status}); give the gRPC port of a RocketMQ proxy"
        );
        Err(Error::new(ErrorKind::WrongProtocol, self.operation, text))
    }

    fn check_status(&self, headers: &HeaderMap) -> Result<()> {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        match text("grpc-status").as_deref() {
            Some("0") => Ok(()),
            Some(status) => {
                let said = percent_decoded(&text("grpc-message").unwrap_or_default());
                let (fault, outcome) = rpc_fault(status.parse().unwrap_or(2), &said, self.address());
                Err(fault.error(self.operation, outcome))
            }
            None => Err(self.error(ErrorKind::ConnectionClosed, "the answer broke off without a status")),
        }
    }

    /// The error of a stream: what ended the connection, if that did. A server that goes away in good order names the
    /// streams it did not look at.
    fn broken(&self, error: &h2::Error) -> Error {
        let unseen = error.is_remote()
            && (error.reason() == Some(h2::Reason::REFUSED_STREAM)
                || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR));
        let outcome = if unseen { Outcome::NotSent } else { Outcome::MaybeSent };
        self.connection.fault(&error.to_string()).error(self.operation, outcome)
    }

    fn error(&self, kind: ErrorKind, why: &str) -> Error {
        Fault::new(kind, format!("{}: {why}", self.address())).error(self.operation, Outcome::MaybeSent)
    }

    fn address(&self) -> &str {
        crate::transport::Connection::address(&self.connection)
    }
}

/// A call whose requests go on while answers arrive.
pub(crate) struct Conversation<Q, T> {
    requests: SendStream<Bytes>,
    pub(crate) answers: Answers<T>,
    request: PhantomData<fn(Q)>,
}

impl<Q: Message, T: Message + Default> Conversation<Q, T> {
    pub(super) fn new(requests: SendStream<Bytes>, answers: Answers<T>) -> Self {
        Self { requests, answers, request: PhantomData }
    }

    /// Says `request`; whether it arrives shows in the answers.
    ///
    /// # Errors
    /// What ended the call or the connection.
    pub(crate) fn say(&mut self, request: &Q) -> Result<()> {
        self.requests.send_data(frame(request), false).map_err(|e| self.answers.broken(&e))
    }
}

/// The first whole message of `buffer`, or why it can be none.
fn take_message(buffer: &mut BytesMut) -> Option<Result<Bytes, String>> {
    let &[compressed, a, b, c, d] = buffer.first_chunk::<PREFIX_BYTES>()?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if compressed != 0 {
        return Some(Err("it compresses answers, which nobody asked for".into()));
    }
    if length > LONGEST_ANSWER {
        return Some(Err(format!("it announces an answer of {length} bytes")));
    }
    if buffer.len() < PREFIX_BYTES + length {
        return None;
    }
    buffer.advance(PREFIX_BYTES);
    Some(Ok(buffer.split_to(length).freeze()))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::grpc::proto::Resource;

    #[test]
    fn messages_are_taken_whole_from_pieces() {
        let resource = Resource { name: "orders".into(), ..Resource::default() };
        let framed = frame(&resource);
        let mut buffer = BytesMut::new();
        for byte in &framed[..framed.len() - 1] {
            buffer.put_u8(*byte);
            assert!(take_message(&mut buffer).is_none());
        }
        buffer.extend_from_slice(&framed[framed.len() - 1..]);
        buffer.extend_from_slice(&framed);
        for _ in 0..2 {
            let message = take_message(&mut buffer).unwrap().unwrap();
            assert_eq!(Resource::decode(message).unwrap(), resource);
        }
        assert!(take_message(&mut buffer).is_none());
    }

    #[test]
    fn hostile_prefixes_are_refused_at_once() {
        for prefix in [[1, 0, 0, 0, 1], [0, 0xFF, 0xFF, 0xFF, 0xFF]] {
            assert!(take_message(&mut BytesMut::from(&prefix[..])).unwrap().is_err());
        }
    }

    #[test]
    fn texts_of_a_status_are_percent_decoded() {
        assert_eq!(percent_decoded("no%20such%20topic 100%"), "no such topic 100%");
        assert_eq!(percent_decoded("%E4%BD%A0%zz%"), "你%zz%");
    }
}
