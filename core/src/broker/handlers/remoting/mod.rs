//! The remoting protocol: one module a family of requests, registered here by code.

mod groups;
mod heartbeat;
mod lock;
mod offsets;
mod pull;
mod query;
mod recall;
mod register;
mod relay;
mod route;
mod send;
mod send_back;
mod topics;
mod transaction;

use super::{Answer, Handler, Refusal, Request};
use crate::broker::node::Node;
use crate::broker::outbox::Outbox;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::{request, response};

/// The handler of a request code.
fn handler(code: i32) -> Option<Handler> {
    Some(match code {
        request::SEND_MESSAGE | request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => send::send,
        request::PULL_MESSAGE | request::LITE_PULL_MESSAGE => pull::pull,
        request::RECALL_MESSAGE => recall::recall,
        request::HEART_BEAT => heartbeat::heartbeat,
        request::UNREGISTER_CLIENT => heartbeat::unregister,
        request::GET_CONSUMER_LIST_BY_GROUP => heartbeat::members,
        request::CHECK_CLIENT_CONFIG => heartbeat::check_config,
        request::GET_ROUTEINFO_BY_TOPIC => route::topic_route,
        request::GET_BROKER_CLUSTER_INFO => route::cluster,
        request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => route::topic_list,
        request::QUERY_CONSUMER_OFFSET => offsets::query,
        request::UPDATE_CONSUMER_OFFSET => offsets::update,
        request::SEARCH_OFFSET_BY_TIMESTAMP => offsets::search,
        request::GET_MAX_OFFSET => offsets::max,
        request::GET_MIN_OFFSET => offsets::min,
        request::GET_EARLIEST_MSG_STORETIME => offsets::earliest_store_time,
        request::CONSUMER_SEND_MSG_BACK => send_back::send_back,
        request::LOCK_BATCH_MQ => lock::lock,
        request::UNLOCK_BATCH_MQ => lock::unlock,
        request::QUERY_MESSAGE => query::by_key,
        request::VIEW_MESSAGE_BY_ID => query::by_id,
        request::UPDATE_AND_CREATE_TOPIC => topics::create,
        request::DELETE_TOPIC_IN_BROKER => topics::delete,
        request::DELETE_TOPIC_IN_NAMESRV => topics::delete_in_name_server,
        request::REGISTER_TOPIC_IN_NAMESRV => topics::register,
        request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => groups::create,
        request::DELETE_SUBSCRIPTIONGROUP => groups::delete,
        request::GET_CONSUMER_CONNECTION_LIST => groups::consumers,
        request::GET_PRODUCER_CONNECTION_LIST => groups::producers,
        request::END_TRANSACTION => transaction::end,
        request::GET_CONSUMER_RUNNING_INFO => relay::running_info,
        request::CONSUME_MESSAGE_DIRECTLY => relay::consume_directly,
        request::INVOKE_BROKER_TO_RESET_OFFSET => relay::reset_offset,
        request::SEND_REPLY_MESSAGE | request::SEND_REPLY_MESSAGE_V2 => relay::reply,
        request::REGISTER_BROKER => register::register,
        request::UNREGISTER_BROKER => register::unregister,
        _ => return None,
    })
}

/// Handles a request by its code.
pub(super) fn dispatch(request: &Request<'_>) -> Answer {
    let code = request.frame.code;
    match handler(code) {
        Some(handler) => handler(request),
        None => {
            let remark = format!("request code {code} is not supported by this broker");
            Err(Refusal::new(response::REQUEST_CODE_NOT_SUPPORTED, remark))
        }
    }
}

/// Takes a client's answer to a request of the broker.
pub(super) fn answered(node: &Node, from: &Outbox, answer: Frame) {
    node.state().relays.answered(from, answer);
}
