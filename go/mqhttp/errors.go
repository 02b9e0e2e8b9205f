package mq_http_sdk

import (
	"encoding/json"
	stderrors "errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"text/template"

	"github.com/gogap/errors"

	tminus "github.com/tminus-mq/tminus/go"
)

// ALIYUN_MQ_ERR_NS is the namespace of the numbers below.
const ALIYUN_MQ_ERR_NS = "MQ"

// ALIYUN_MQ_ERR_TEMPSTR is the text of [ErrMqServer].
const ALIYUN_MQ_ERR_TEMPSTR = "aliyun_mq response status error,code: {{.resp.Code}}, message: {{.resp.Message}}, " +
	"path: {{.resource}}, requestId: {{.resp.RequestId}}"

// The errors of this package, by number. Numbers 1 and 3 never happen here.
var (
	ErrSignMessageFailed = of(1, "sign message failed, {{.err}}")
	// ErrMarshalMessageFailed: the message cannot travel; nothing was sent.
	ErrMarshalMessageFailed    = of(2, "marshal message failed, {{.err}}")
	ErrGeneralAuthHeaderFailed = of(3, "general auth header failed, {{.err}}")
	// ErrMessageProperty: a property cannot travel; nothing was sent.
	ErrMessageProperty = of(4, "message property can not contains:\" ' < > & : |, {{.err}}")
	// ErrSendRequestFailed: an argument is unusable, or no answer came: the [tminus.Error] says what may have been stored.
	ErrSendRequestFailed = of(5, "send request failed, {{.err}}")
	// ErrUnmarshalErrorResponseFailed: another server than the service answered, say a gateway; its HTTP status and words
	// are in the text.
	ErrUnmarshalErrorResponseFailed = of(7, "unmarshal error response failed, {{.err}}, ResponseBody: {{.resp}}")
	// ErrUnmarshalResponseFailed: the answer is broken.
	ErrUnmarshalResponseFailed = of(8, "unmarshal response failed, {{.err}}")
	// ErrMqServer: the service refused; its code is in the text. MessageNotExist is what a consume without messages is.
	ErrMqServer = of(101, ALIYUN_MQ_ERR_TEMPSTR)
	// ErrAckMessage: some messages were not acknowledged, see [ErrAckItem].
	ErrAckMessage = of(102, "aliyun_mq ack message error,code: {{.Code}}, message: {{.Message}}, "+
		"receiptHandle: {{.ReceiptHandle}}, requestId: {{.RequestId}}")
)

// ErrAckItem is a handle that was not accepted. An [ErrAckMessage] has them in Context()["Detail"], as []ErrAckItem; handles
// that are not among them were acknowledged.
type ErrAckItem struct {
	ErrorHandle string
	ErrorMsg    string
	ErrorCode   string
}

// ErrorResponse is how the service refuses.
type ErrorResponse struct {
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
	RequestId string `json:"request_id,omitempty"`
	HostId    string `json:"host_id,omitempty"`
}

// ErrCodeTemplate makes and knows the errors of one number. It is used like gogap's, which is not used itself because it
// ends a process that defines a number twice: a program may use this package and the official one side by side.
type ErrCodeTemplate struct {
	code uint64
	text *template.Template
}

func of(code uint64, text string) ErrCodeTemplate {
	return ErrCodeTemplate{code, template.Must(template.New(ALIYUN_MQ_ERR_NS).Parse(text))}
}

// IsEqual is whether err is one of this number.
func (t *ErrCodeTemplate) IsEqual(err error) bool {
	var e errors.ErrCode
	return stderrors.As(err, &e) && e.Namespace() == ALIYUN_MQ_ERR_NS && e.Code() == t.code
}

// New is an error of this number.
func (t *ErrCodeTemplate) New(params ...errors.Params) errors.ErrCode {
	all := errors.Params{}
	for _, some := range params {
		for name, value := range some {
			all[name] = value
		}
	}
	var text strings.Builder
	if err := t.text.Execute(&text, all); err != nil {
		fmt.Fprintf(&text, " (%v)", err)
	}
	id := fmt.Sprintf("%07X", rand.Uint32()>>4)
	return errors.NewErrorCode(id, t.code, ALIYUN_MQ_ERR_NS, text.String(), callers(), nil)
}

// callers are the last calls that led here.
func callers() string {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var text strings.Builder
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		fmt.Fprintf(&text, "%s:%d %s\n", frame.File, frame.Line, frame.Function)
	}
	return text.String()
}

// withCause is an ErrCode whose cause errors.Is and errors.As find.
type withCause struct {
	errors.ErrCode
	cause error
}

func (e *withCause) Unwrap() error { return e.cause }

// MarshalJSON is the text, as of gogap's errors, which are no JSON where the text has quotes.
func (e *withCause) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }

func (e *withCause) Append(err ...any) errors.ErrCode {
	e.ErrCode.Append(err...)
	return e
}

func (e *withCause) WithMessage(text string) errors.ErrCode {
	e.ErrCode.WithMessage(text)
	return e
}

func (e *withCause) WithContext(key string, value any) errors.ErrCode {
	e.ErrCode.WithContext(key, value)
	return e
}

// failed is the error of a call, nil for nil.
func failed(err error, resource string) error {
	if err == nil || isErrCode(err) {
		return err
	}
	var core *tminus.Error
	if !stderrors.As(err, &core) {
		return &withCause{ErrSendRequestFailed.New(errors.Params{"err": err}), err}
	}
	return &withCause{coded(core, resource), err}
}

func isErrCode(err error) bool {
	var e errors.ErrCode
	return stderrors.As(err, &e)
}

// coded finds the number of an error of the core.
func coded(e *tminus.Error, resource string) errors.ErrCode {
	refusal := e.Refusal
	switch {
	case refusal != nil && refusal.Code != "":
		resp := ErrorResponse{refusal.Code, refusal.Message, refusal.RequestID, refusal.HostID}
		return ErrMqServer.New(errors.Params{"resp": resp, "resource": resource})
	case e.Responded && e.Outcome != tminus.Done:
		words := ""
		if refusal != nil {
			words = refusal.Message
		}
		return ErrUnmarshalErrorResponseFailed.New(errors.Params{"err": e, "resp": words})
	case e.Responded, e.Kind == tminus.ErrProtocol:
		return ErrUnmarshalResponseFailed.New(errors.Params{"err": e})
	case e.Kind == tminus.ErrInvalidMessage && strings.Contains(e.Text, "property"):
		return ErrMessageProperty.New(errors.Params{"err": e})
	case e.Kind == tminus.ErrInvalidMessage:
		return ErrMarshalMessageFailed.New(errors.Params{"err": e})
	default:
		return ErrSendRequestFailed.New(errors.Params{"err": e})
	}
}

// ackFailed is the error of an acknowledgement of which some handles were refused; nil if none was.
func ackFailed(handles []string, results []error) error {
	var items []ErrAckItem
	var requestId string
	for i, result := range results {
		var e *tminus.Error
		if !stderrors.As(result, &e) {
			continue
		}
		item := ErrAckItem{ErrorHandle: handles[i], ErrorMsg: e.Text}
		if e.Refusal != nil {
			item.ErrorCode, item.ErrorMsg, requestId = e.Refusal.Code, e.Refusal.Message, e.Refusal.RequestID
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil
	}
	first := items[0]
	failure := ErrAckMessage.New(errors.Params{
		"Code":          first.ErrorCode,
		"Message":       first.ErrorMsg,
		"ReceiptHandle": first.ErrorHandle,
		"RequestId":     requestId,
	})
	return &withCause{failure.WithContext("Detail", items), stderrors.Join(results...)}
}
