package tminus

import (
	"context"
	"errors"
	"fmt"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// Kind is what went wrong. The kinds are errors themselves, to be used with [errors.Is]:
//
//	if errors.Is(err, tminus.ErrTimeout) { … }
type Kind int32

// The kinds of errors.
const (
	// ErrInvalidArgument: an argument or option is unusable; nothing was sent.
	ErrInvalidArgument Kind = capi.KindInvalidArgument
	// ErrInvalidMessage: topic, body or properties of the message are unusable; nothing was sent.
	ErrInvalidMessage Kind = capi.KindInvalidMessage
	// ErrInvalidDeliveryTime: the delivery time is no usable number, looks like seconds, or is too far ahead.
	ErrInvalidDeliveryTime Kind = capi.KindInvalidDeliveryTime
	// ErrDelayUnsupported: this kind of server keeps no arbitrary delivery time.
	ErrDelayUnsupported Kind = capi.KindDelayUnsupported
	// ErrUnsupported: the protocol in use has no such capability.
	ErrUnsupported Kind = capi.KindUnsupported
	// ErrClosed: the object was closed.
	ErrClosed Kind = capi.KindClosed
	// ErrForked: the object was made before a fork and is used in the child.
	ErrForked Kind = capi.KindForked
	// ErrCancelled: the caller cancelled; the error is [context.Canceled] too.
	ErrCancelled Kind = capi.KindCancelled
	// ErrTimeout: the deadline passed; where it was the context's, the error is [context.DeadlineExceeded] too.
	ErrTimeout Kind = capi.KindTimeout
	// ErrNameServerUnreachable: none of the configured name servers answered.
	ErrNameServerUnreachable Kind = capi.KindNameServerUnreachable
	// ErrBrokerUnreachable: the broker cannot be connected to.
	ErrBrokerUnreachable Kind = capi.KindBrokerUnreachable
	// ErrConnectionClosed: the connection closed while the request was under way.
	ErrConnectionClosed Kind = capi.KindConnectionClosed
	// ErrWrongProtocol: the other side speaks another protocol than the endpoint says.
	ErrWrongProtocol Kind = capi.KindWrongProtocol
	// ErrProtocol: the other side broke the protocol.
	ErrProtocol Kind = capi.KindProtocol
	// ErrTLS: the certificate is not trusted or names another server, or the server speaks no TLS.
	ErrTLS Kind = capi.KindTls
	// ErrTopicNotFound: the topic does not exist and is not created by itself.
	ErrTopicNotFound Kind = capi.KindTopicNotFound
	// ErrGroupNotFound: the consumer group does not exist.
	ErrGroupNotFound Kind = capi.KindGroupNotFound
	// ErrPermissionDenied: credentials are missing or wrong, or do not allow this.
	ErrPermissionDenied Kind = capi.KindPermissionDenied
	// ErrBusy: the server is overloaded or limits the flow; try again later.
	ErrBusy Kind = capi.KindBusy
	// ErrMessageRefused: the server refused the message as illegal.
	ErrMessageRefused Kind = capi.KindMessageRefused
	// ErrServer: the server answered with another error, see [Error.ResponseCode].
	ErrServer Kind = capi.KindServer
	// ErrInternal: a defect of this library.
	ErrInternal Kind = capi.KindInternal
	// ErrIO: reading or writing failed outside a connection.
	ErrIO Kind = capi.KindIo
	// ErrInvalidReceipt: the receipt handle is expired, was replaced by a newer one, or is none; the message comes again
	// unless it was acknowledged before.
	ErrInvalidReceipt Kind = capi.KindInvalidReceipt
	// ErrTopicTypeMismatch: the topic does not take this type of message (normal, FIFO, delay, transaction, priority); the
	// text names both types and the command that changes the topic.
	ErrTopicTypeMismatch Kind = capi.KindTopicTypeMismatch
	// ErrClockSkew: the clocks of this machine and of the server differ by more than the server tolerates; the text has both.
	ErrClockSkew Kind = capi.KindClockSkew
	// ErrMessageNotFound: there is no message to consume ([HTTPClient.Consume]), or the acknowledged one is gone.
	ErrMessageNotFound Kind = capi.KindMessageNotFound
)

// Error names the kind, the same in every language.
func (k Kind) Error() string { return "tminus: " + capi.KindName(int32(k)) }

// Outcome is what is known about the message of a failed send.
type Outcome int32

const (
	// NotSent: the server did not get it or refused it; sending it again makes no duplicate.
	NotSent Outcome = capi.OutcomeNotSent
	// MaybeSent: it left this process and the answer is missing; it may be stored.
	MaybeSent Outcome = capi.OutcomeMaybeSent
	// Done: the server has stored it.
	Done Outcome = capi.OutcomeDone
)

func (o Outcome) String() string {
	switch o {
	case MaybeSent:
		return "MaybeSent"
	case Done:
		return "Done"
	default:
		return "NotSent"
	}
}

// Error is what every failed call of this package returns.
type Error struct {
	// Kind is what went wrong.
	Kind Kind
	// Operation is the call that failed.
	Operation string
	// Text explains, and says what to do where that is known.
	Text string
	// ResponseCode is RocketMQ's code, or the HTTP status, if Responded.
	ResponseCode int32
	// Responded is whether a server answered.
	Responded bool
	// Outcome is what became of the message.
	Outcome Outcome
	// Retryable is whether the same call can succeed later. After [MaybeSent] a repeat can make a duplicate.
	Retryable bool
	// Refusal is what an HTTP server answered in its own words; nil where it said nothing.
	Refusal *Refusal

	cause error
}

// Refusal is how a server of ApsaraMQ HTTP words an error.
type Refusal struct {
	// Code is TopicNotExist, SignatureDoesNotMatch, MessageNotExist, …; "" if the answer was no document of the service.
	Code string
	// Message explains; it is the beginning of an answer that was no document.
	Message string
	// RequestID is the id of the request, for the service's support; "" if there was none.
	RequestID string
	// HostID is the URL of the server; "" if it did not say.
	HostID string
}

func (e *Error) Error() string { return e.Text }

// Is whether target is the kind of this error.
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

// Unwrap is the error of the context that ended the call, if one did.
func (e *Error) Unwrap() error { return e.cause }

// fault is nil for nil; it turns a failure of the core into an *Error, joined with the reason why ctx ended the call, if it did.
func fault(ctx context.Context, err error) error {
	var failure *capi.Failure
	if !errors.As(err, &failure) {
		return err
	}
	e := &Error{
		Kind:         Kind(failure.Kind),
		Operation:    failure.Operation,
		Text:         failure.Text,
		ResponseCode: failure.ResponseCode,
		Responded:    failure.Responded,
		Outcome:      Outcome(failure.Outcome),
		Retryable:    failure.Retryable,
	}
	refusal := Refusal{failure.ServerCode, failure.ServerMessage, failure.RequestID, failure.HostID}
	if refusal != (Refusal{}) {
		e.Refusal = &refusal
	}
	if ctx != nil {
		switch e.Kind {
		case ErrCancelled:
			// At the deadline the context and the core end the call at the same time, whichever is first.
			if e.cause = reason(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
				e.Kind, e.Retryable = ErrTimeout, true
				e.Text = e.Operation + ": the deadline passed"
			}
		case ErrTimeout:
			if _, ok := ctx.Deadline(); ok {
				e.cause = context.DeadlineExceeded
			}
		}
	}
	return e
}

// ended is the error of a call that was not begun, because ctx had ended already.
func ended(ctx context.Context, operation string) error {
	e := &Error{Kind: ErrCancelled, Operation: operation, Text: operation + ": the context had ended before the call"}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind = ErrTimeout
	}
	e.cause = reason(ctx)
	return e
}

// reason is the error of ctx, joined with the cause it was given, if any.
func reason(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err {
		return err
	}
	return errors.Join(err, cause)
}

func invalid(kind Kind, operation, format string, args ...any) error {
	return &Error{Kind: kind, Operation: operation, Text: operation + ": " + fmt.Sprintf(format, args...)}
}
