package tminus_test

import (
	"testing"

	"github.com/tminus-mq/tminus/go/tminustest"
)

// overEveryProtocol runs test with a broker of its own and its endpoint of every protocol.
func overEveryProtocol(
	t *testing.T, test func(t *testing.T, broker *tminustest.Broker, endpoint string), options ...tminustest.Option,
) {
	for _, scheme := range []string{"remoting", "grpc"} {
		t.Run(scheme, func(t *testing.T) {
			broker := tminustest.Start(t, options...)
			test(t, broker, scheme+"://"+broker.Endpoint())
		})
	}
}
