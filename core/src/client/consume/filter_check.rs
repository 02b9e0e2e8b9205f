//! A broker reads an SQL92 expression before a consumer relies on it: only there is it known what is wrong with it.

use super::requests::Requests;
use crate::client::refusal;
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::{FilterCheck, JsonBody, SubscriptionData};
use crate::codec::remoting::codes::{request, response};
use crate::error::{Error, ErrorKind, Result};
use crate::options::FilterExpression;

impl Requests {
    /// Lets a broker of `topic` (as the server knows it) read the filter. A topic without a route may come later, and a
    /// broker that cannot be asked is found out by the pulls.
    ///
    /// # Errors
    /// `InvalidArgument` for an expression that is refused, `Unsupported` if the broker takes none.
    pub(super) async fn check_filter(
        &self,
        operation: &'static str,
        topic: &str,
        filter: &FilterExpression,
    ) -> Result<()> {
        let FilterExpression::Sql92(text) = filter else { return Ok(()) };
        let Ok(route) = self.route(topic).await else { return Ok(()) };
        let Some(broker) = route.brokers().first().and_then(|broker| broker.copy(0)) else { return Ok(()) };
        let body = FilterCheck {
            client_id: self.instance.client_id().to_owned(),
            group: self.group.clone(),
            subscription_data: SubscriptionData::sql92(topic, text, 0),
        };
        let request = Frame::request(request::CHECK_CLIENT_CONFIG).with_body(body.encode());
        let asked = self.ask(broker, request, self.timeout()).await;
        let unclear = |error: &Error| tracing::debug!(%error, topic, "a filter could not be checked");
        let Ok(answer) = asked.inspect_err(unclear) else { return Ok(()) };
        let remark = answer.remark.as_deref().unwrap_or_default();
        match answer.code {
            response::SUBSCRIPTION_PARSE_FAILED => Err(refusal(operation, &answer, topic)),
            response::SYSTEM_ERROR if remark.contains("not support") => {
                let text = format!(
                    "the broker filters {topic:?} by tags only: {remark}; it needs enablePropertyFilter=true"
                );
                Err(Error::new(ErrorKind::Unsupported, operation, text).with_response_code(answer.code))
            }
            // Some servers do not know the question.
            _ => Ok(()),
        }
    }
}
