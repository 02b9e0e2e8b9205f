// Package client holds what the options of producers and consumers share: where to connect, as whom, and TLS.
package client

import (
	"log/slog"
	"os"
	"strings"
	"sync"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// The environment names the authority and the server for programs whose document has no place for them.
const (
	caVariable         = "TMINUS_TLS_CA"
	serverNameVariable = "TMINUS_TLS_SERVER_NAME"
)

// Options are what producers and consumers share.
type Options struct {
	Resolver    primitive.NsResolver
	Credentials primitive.Credentials
	Namespace   string
	TLS         bool
	TLSConfig   *tminus.TLSConfig
}

// Endpoint is the list of name servers.
func (o *Options) Endpoint() (string, error) {
	resolver := o.Resolver
	if resolver == nil {
		resolver = primitive.NewEnvResolver()
	}
	addresses := primitive.NamesrvAddr(resolver.Resolve())
	if err := addresses.Check(); err != nil {
		return "", &tminus.Error{Kind: tminus.ErrInvalidArgument, Operation: "start",
			Text: "start: " + resolver.Description() + ": " + err.Error()}
	}
	return strings.Join(addresses, ";"), nil
}

// Client is the options of the core.
func (o *Options) Client() (tminus.ClientOptions, error) {
	options := tminus.ClientOptions{Namespace: o.Namespace}
	if !o.Credentials.IsEmpty() {
		options.Credentials = &tminus.Credentials{
			AccessKey:     o.Credentials.AccessKey,
			SecretKey:     o.Credentials.SecretKey,
			SecurityToken: o.Credentials.SecurityToken,
		}
	}
	if o.TLSConfig != nil {
		options.TLS = o.TLSConfig
		return options, nil
	}
	if !o.TLS {
		return options, nil
	}
	options.TLS = &tminus.TLSConfig{ServerName: os.Getenv(serverNameVariable)}
	file := os.Getenv(caVariable)
	if file == "" {
		// The services these programs were written for use private certificates and the documented call names no
		// authority: encrypt all the same, and say once what that does not give.
		options.TLS.InsecureSkipVerify = true
		warnUnverified()
		return options, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return options, &tminus.Error{Kind: tminus.ErrIO, Operation: "start",
			Text: "start: cannot read the certificate authority named by " + caVariable + ": " + err.Error()}
	}
	options.TLS.CA = pem
	return options, nil
}

var warnUnverified = sync.OnceFunc(func() {
	slog.Warn("WithTls(true) encrypts, but the server was not verified: no certificate authority is configured; " +
		"use WithTlsConfig, or name a PEM file in the environment variable " + caVariable)
})

// Unsupported is the error for what this package does not offer.
func Unsupported(operation, what string) error {
	return &tminus.Error{Kind: tminus.ErrUnsupported, Operation: operation,
		Text: operation + ": " + what + " is not supported by this package"}
}
