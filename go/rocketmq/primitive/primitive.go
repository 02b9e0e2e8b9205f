// Package primitive holds the types that producers and consumers of package rocketmq share, by the names that
// programs written for rocketmq-client-go v2 know.
package primitive

import (
	"fmt"
	"log/slog"
)

// Credentials sign the requests. The secret key never travels and is not printed.
type Credentials struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string
}

// IsEmpty is whether no key is set.
func (c Credentials) IsEmpty() bool { return c.AccessKey == "" || c.SecretKey == "" }

func (c Credentials) String() string { return fmt.Sprintf("Credentials(%s)", c.AccessKey) }

// GoString keeps the secrets out of %#v.
func (c Credentials) GoString() string { return c.String() }

// PanicHandler is called with what a callback of the program panicked with. Where it is nil, the panic is logged.
// Neither ends the process: the message that was handled is delivered again later.
var PanicHandler func(any)

// WithRecover runs fn and hands a panic to PanicHandler.
func WithRecover(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			if PanicHandler != nil {
				PanicHandler(p)
				return
			}
			slog.Error("a callback panicked", "panic", p)
		}
	}()
	fn()
}

// TraceConfig configures message trace, which is not supported; see producer.WithTrace.
type TraceConfig struct {
	TraceTopic   string
	GroupName    string
	Access       int
	NamesrvAddrs []string
	Credentials
}
