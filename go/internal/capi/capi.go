// Package capi is the only use of cgo: the C ABI of the core as Go calls.
//
// Rare calls (start, close, subscribe), a receive of a push consumer, and a send that is alone, block a thread until the
// core is done. All others are submitted and come back as completions, which one goroutine drains in batches for all; see
// reactor.go. Everything the core makes is copied into Go memory and freed before a call returns.
package capi

// #cgo CFLAGS: -std=c11 -I${SRCDIR}/../../../include
// #cgo noescape go_submit_send
// #cgo nocallback go_submit_send
// #cgo noescape go_send
// #cgo nocallback go_send
// #cgo nocallback tminus_queue_wait
// #cgo noescape tminus_queue_wait
// #cgo nocallback tminus_completions_free
// #cgo noescape tminus_completions_free
// #cgo nocallback tminus_batch_settle
// #cgo nocallback tminus_batch_answer
// #cgo noescape go_submit_send_transaction
// #cgo nocallback go_submit_send_transaction
// #cgo noescape go_submit_ack
// #cgo nocallback go_submit_ack
// #cgo noescape go_submit_publish
// #cgo nocallback go_submit_publish
// #include "http_client.h"
// #include "layout.h"
// #include "message.h"
// #include "receipt.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Numbers of the ABI that the packages above name in their own way.
const (
	KindInvalidArgument       = C.TMINUS_INVALID_ARGUMENT
	KindInvalidMessage        = C.TMINUS_INVALID_MESSAGE
	KindInvalidDeliveryTime   = C.TMINUS_INVALID_DELIVERY_TIME
	KindDelayUnsupported      = C.TMINUS_DELAY_UNSUPPORTED
	KindUnsupported           = C.TMINUS_UNSUPPORTED
	KindClosed                = C.TMINUS_CLOSED
	KindForked                = C.TMINUS_FORKED
	KindCancelled             = C.TMINUS_CANCELLED
	KindTimeout               = C.TMINUS_TIMEOUT
	KindNameServerUnreachable = C.TMINUS_NAME_SERVER_UNREACHABLE
	KindBrokerUnreachable     = C.TMINUS_BROKER_UNREACHABLE
	KindConnectionClosed      = C.TMINUS_CONNECTION_CLOSED
	KindWrongProtocol         = C.TMINUS_WRONG_PROTOCOL
	KindProtocol              = C.TMINUS_PROTOCOL
	KindTls                   = C.TMINUS_TLS
	KindTopicNotFound         = C.TMINUS_TOPIC_NOT_FOUND
	KindGroupNotFound         = C.TMINUS_GROUP_NOT_FOUND
	KindPermissionDenied      = C.TMINUS_PERMISSION_DENIED
	KindBusy                  = C.TMINUS_BUSY
	KindMessageRefused        = C.TMINUS_MESSAGE_REFUSED
	KindServer                = C.TMINUS_SERVER
	KindInternal              = C.TMINUS_INTERNAL
	KindIo                    = C.TMINUS_IO
	KindInvalidReceipt        = C.TMINUS_INVALID_RECEIPT
	KindTopicTypeMismatch     = C.TMINUS_TOPIC_TYPE_MISMATCH
	KindClockSkew             = C.TMINUS_CLOCK_SKEW
	KindMessageNotFound       = C.TMINUS_MESSAGE_NOT_FOUND

	OutcomeNotSent   = C.TMINUS_OUTCOME_NOT_SENT
	OutcomeMaybeSent = C.TMINUS_OUTCOME_MAYBE_SENT
	OutcomeDone      = C.TMINUS_OUTCOME_DONE

	DeliveryNone    = C.TMINUS_DELIVERY_NONE
	DeliveryAtMs    = C.TMINUS_DELIVERY_AT_MS
	DeliveryAfterMs = C.TMINUS_DELIVERY_AFTER_MS
	DeliveryLevel   = C.TMINUS_DELIVERY_LEVEL

	ConsumeSuccess         = C.TMINUS_CONSUME_SUCCESS
	ConsumeRetryLater      = C.TMINUS_CONSUME_RETRY_LATER
	ConsumeRetryAfterLevel = C.TMINUS_CONSUME_RETRY_AFTER_LEVEL
	ConsumeDeadLetter      = C.TMINUS_CONSUME_DEAD_LETTER

	TransactionUnknown  = C.TMINUS_TRANSACTION_UNKNOWN
	TransactionCommit   = C.TMINUS_TRANSACTION_COMMIT
	TransactionRollback = C.TMINUS_TRANSACTION_ROLLBACK

	ConsumeConcurrent = C.TMINUS_HTTP_CONSUME_CONCURRENT
	ConsumeOrderly    = C.TMINUS_HTTP_CONSUME_ORDERLY
	ConsumeHalf       = C.TMINUS_HTTP_CONSUME_HALF

	BodyText   = C.TMINUS_BODY_TEXT
	BodyBase64 = C.TMINUS_BODY_BASE64
)

// KindName is the stable name of a kind, as in every language.
func KindName(kind int32) string { return C.GoString(C.tminus_status_name(C.tminus_status_t(kind))) }

// Version of the core.
func Version() string { return C.GoString(C.tminus_version()) }

// Failure is an error of the core.
type Failure struct {
	Kind         int32
	Operation    string
	Text         string
	ResponseCode int32
	Responded    bool
	Outcome      int32
	Retryable    bool
	// What an HTTP server said; "" where it did not.
	ServerCode, ServerMessage, RequestID, HostID string
}

func (f *Failure) Error() string { return f.Text }

// check is nil for success and else the error of the core.
func check(status C.tminus_status_t, e *C.tminus_error_t) error {
	if status == C.TMINUS_OK {
		return nil
	}
	return failure(status, e)
}

// failure copies and frees an error of the core.
func failure(status C.tminus_status_t, e *C.tminus_error_t) error {
	if e == nil {
		return &Failure{Kind: int32(status), Text: KindName(int32(status))}
	}
	defer C.tminus_error_free(e)
	return copyFailure(e)
}

func copyFailure(e *C.tminus_error_t) *Failure {
	f := &Failure{
		Kind:      int32(e.status),
		Operation: C.GoString(e.operation),
		Text:      C.GoString(e.message),
		Responded: int32(e.response_code) != C.TMINUS_NO_RESPONSE_CODE,
		Outcome:   int32(e.outcome),
		Retryable: e.is_retryable != 0,

		ServerCode:    C.GoString(e.server_code),
		ServerMessage: C.GoString(e.server_message),
		RequestID:     C.GoString(e.request_id),
		HostID:        C.GoString(e.host_id),
	}
	if f.Responded {
		f.ResponseCode = int32(e.response_code)
	}
	return f
}

// handshake refuses a core whose ABI differs from the header this package was compiled with.
var handshake = sync.OnceValue(func() error {
	var e *C.tminus_error_t
	status := C.tminus_abi_check(C.TMINUS_ABI_VERSION, &e)
	return check(status, e)
})

func closed(operation string) error {
	return &Failure{Kind: KindClosed, Operation: operation, Text: operation + ": it was closed; make a new one"}
}

// unlessClosed is err, but nil for an object that was closed before.
func unlessClosed(err error) error {
	if f, ok := err.(*Failure); ok && f.Kind == KindClosed {
		return nil
	}
	return err
}

// handle guards a pointer to an object of the core: calls share it, the free waits for them and comes last.
type handle[P comparable] struct {
	mutex   sync.RWMutex
	p       P
	cleanup runtime.Cleanup
}

// freeUnreachable frees an object that nobody closed, once nobody can: a safety net.
func (h *handle[P]) freeUnreachable(free func(p P)) {
	h.cleanup = runtime.AddCleanup(h, func(p P) { go free(p) }, h.p)
}

// use runs call with the object, or reports that it was closed.
func (h *handle[P]) use(operation string, call func(p P) error) error {
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	var none P
	if h.p == none {
		return closed(operation)
	}
	return call(h.p)
}

// free frees the object once.
func (h *handle[P]) free(free func(p P)) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var none P
	if h.p != none {
		h.cleanup.Stop()
		free(h.p)
		h.p = none
	}
}

// arena holds the C copies of texts for the time of one rare call.
type arena []unsafe.Pointer

func (a *arena) bytes(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return nil
	}
	p := C.CBytes(b)
	*a = append(*a, p)
	return p
}

func (a *arena) text(s string) C.tminus_str_t {
	return C.tminus_str_t{data: (*C.char)(a.bytes([]byte(s))), len: C.size_t(len(s))}
}

// texts is an array of texts.
func (a *arena) texts(texts []string) *C.tminus_str_t {
	list := (*C.tminus_str_t)(a.zeroed(C.size_t(len(texts)+1), C.sizeof_tminus_str_t))
	for i, text := range texts {
		unsafe.Slice(list, len(texts)+1)[i] = a.text(text)
	}
	return list
}

// zeroed is C memory of n bytes.
func (a *arena) zeroed(n, size C.size_t) unsafe.Pointer {
	p := C.calloc(n, size)
	*a = append(*a, p)
	return p
}

func (a *arena) free() {
	for _, p := range *a {
		C.free(p)
	}
}

// copyText is s as a Go string that outlives the C object.
func copyText(s C.tminus_str_t) string { return C.GoStringN(s.data, C.int(s.len)) }

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

func ms(d time.Duration) C.int64_t { return C.int64_t(d.Milliseconds()) }

// timeoutMs is what ctx leaves, rounded up to whole ms; -1 without a deadline.
func timeoutMs(ctx context.Context) C.int64_t {
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	left := time.Until(deadline)
	if left <= 0 {
		return 0
	}
	return C.int64_t((left + time.Millisecond - 1) / time.Millisecond)
}

// cancellable runs a blocking call that ends when ctx does.
func cancellable(ctx context.Context, call func(cancel *C.tminus_cancel_t) error) error {
	if ctx.Done() == nil {
		return call(nil)
	}
	var cancel *C.tminus_cancel_t
	var e *C.tminus_error_t
	if status := C.tminus_cancel_new(&cancel, &e); status != C.TMINUS_OK {
		return failure(status, e)
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.tminus_cancel_fire(cancel, nil)
		close(fired)
	})
	err := call(cancel)
	if !stop() {
		<-fired
	}
	C.tminus_cancel_free(cancel)
	return err
}
