package tminus_test

import (
	"testing"

	"github.com/tminus-mq/tminus/go/tminustest"
)

// protocolTest is run with a broker of its own and its endpoint of a protocol.
type protocolTest func(t *testing.T, broker *tminustest.Broker, endpoint string)

// overEveryProtocol runs test over each of them.
func overEveryProtocol(t *testing.T, test protocolTest, options ...tminustest.Option) {
	over(t, []string{"remoting", "grpc", "http"}, test, options...)
}

// over runs test over the protocols with these schemes.
func over(t *testing.T, schemes []string, test protocolTest, options ...tminustest.Option) {
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			broker := tminustest.Start(t, options...)
			test(t, broker, scheme+"://"+broker.Endpoint())
		})
	}
}
