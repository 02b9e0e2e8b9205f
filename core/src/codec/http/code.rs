//! Error codes of the service, with the status that goes with each.

macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $status:literal;)*) => {
        $($(#[$doc])* pub const $constant: &str = $name;)*

        /// The status of an answer with `code`; 500 for one that is not known.
        pub fn status(code: &str) -> u16 {
            match code { $($name => $status,)* _ => 500 }
        }
    };
}

codes! {
    /// The user may not do this.
    ACCESS_DENIED = "AccessDenied", 403;
    /// No such user.
    INVALID_ACCESS_KEY_ID = "InvalidAccessKeyId", 403;
    /// The signature is not that of this request and user.
    SIGNATURE_DOES_NOT_MATCH = "SignatureDoesNotMatch", 403;
    /// HTTP is switched off, for the instance or where it is not encrypted.
    HTTP_FORBIDDEN = "HTTPForbidden", 403;
    /// The authorization cannot be read.
    INVALID_AUTHORIZATION_HEADER = "InvalidAuthorizationHeader", 400;
    /// There is no authorization.
    MISSING_AUTHORIZATION_HEADER = "MissingAuthorizationHeader", 400;
    /// The date cannot be read.
    INVALID_DATE_HEADER = "InvalidDateHeader", 400;
    /// There is no date.
    MISSING_DATE_HEADER = "MissingDateHeader", 400;
    /// A parameter or a part of the document is not as it may be.
    INVALID_ARGUMENT = "InvalidArgument", 400;
    /// The content is not that of the digest.
    INVALID_DIGEST = "InvalidDigest", 400;
    /// The path is none of the protocol.
    INVALID_REQUEST_URL = "InvalidRequestURL", 400;
    /// A parameter cannot be read.
    INVALID_QUERY_STRING = "InvalidQueryString", 400;
    /// The document cannot be read.
    MALFORMED_XML = "MalformedXML", 400;
    /// An acknowledgement without handles.
    MISSING_RECEIPT_HANDLE = "MissingReceiptHandle", 400;
    /// The handle is none, expired or replaced.
    RECEIPT_HANDLE_ERROR = "ReceiptHandleError", 400;
    /// Too many requests.
    QPS_LIMIT_EXCEEDED = "QpsLimitExceeded", 400;
    /// No such topic.
    TOPIC_NOT_EXIST = "TopicNotExist", 404;
    /// No message within the wait.
    MESSAGE_NOT_EXIST = "MessageNotExist", 404;
    /// The date is too far from the server's.
    TIME_EXPIRED = "TimeExpired", 408;
    /// The server failed.
    INTERNAL_ERROR = "InternalError", 500;
    /// The same, from another part of it.
    INTERNAL_SERVER_ERROR = "InternalServerError", 500;
}
