package mq_http_sdk_test

import (
	"context"
	"crypto/md5"
	stderrors "errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gogap/errors"

	tminus "github.com/tminus-mq/tminus/go"
	mq "github.com/tminus-mq/tminus/go/mqhttp"
)

// What the official SDK is known to do wrong, each shown to be right here.

func digest(body string) string { return fmt.Sprintf("%X", md5.Sum([]byte(body))) }

// checkError wants an ErrCode of number over a core error of kind.
func checkError(t *testing.T, err error, number *mq.ErrCodeTemplate, kind tminus.Kind) *tminus.Error {
	t.Helper()
	code, ok := err.(errors.ErrCode)
	var core *tminus.Error
	if !ok || !number.IsEqual(err) || !stderrors.Is(err, kind) || !stderrors.As(err, &core) {
		t.Fatalf("got %v, expected %v of %v", err, kind, *number)
	}
	if code.Namespace() != "MQ" || code.StackTrace() == "" {
		t.Errorf("namespace %q, stack %q", code.Namespace(), code.StackTrace())
	}
	return core
}

func TestAPublishWhoseAnswerIsLostIsNotSentAgain(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return answer{} })
	_, err := server.client(t).GetProducer("I", "t").PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
	if e := checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrConnectionClosed); e.Outcome != tminus.MaybeSent {
		t.Errorf("outcome %v", e.Outcome)
	}
	if got := server.got(); len(got) != 1 {
		t.Errorf("requests %q", got)
	}
}

func TestAPublishIsNotSentAgainWhenAKeptConnectionCloses(t *testing.T) {
	server := startPeer(t, func(n int, _ request) answer {
		if n == 1 {
			return stored(digest("b"))
		}
		return answer{}
	})
	producer := server.client(t).GetProducer("I", "t")
	if _, err := producer.PublishMessage(mq.PublishMessageRequest{MessageBody: "b"}); err != nil {
		t.Fatal(err)
	}
	_, err := producer.PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
	if e := checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrConnectionClosed); e.Outcome != tminus.MaybeSent {
		t.Errorf("outcome %v", e.Outcome)
	}
	if got := server.got(); len(got) != 2 {
		t.Errorf("requests %q", got)
	}
}

func TestAConsumeIsNotRepeated(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return answer{} })
	consumer := server.client(t).GetConsumer("I", "t", "g", "").(*mq.AliyunMQConsumer)
	_, err := consumer.ConsumeMessageContext(t.Context(), 16, 0)
	checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrConnectionClosed)
	if got := server.got(); len(got) != 1 {
		t.Errorf("requests %q", got)
	}
}

func TestASilentServerTakesNoLongerThanTheTimeout(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	server := startPeer(t, func(int, request) answer {
		<-stop
		return answer{}
	})
	client := newClient(t, server.endpoint, 300*time.Millisecond)
	consumer := client.GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
	began := time.Now()
	_, err := consumer.ConsumeMessageContext(t.Context(), 16, 0)
	checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrTimeout)
	if took := time.Since(began); took < 300*time.Millisecond || took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := server.got(); len(got) != 1 {
		t.Errorf("requests %q", got)
	}
}

func TestAnEmptyListOfFailedHandlesDoesNotPanic(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return answer{http.StatusNotFound, "<Errors></Errors>"} })
	err := server.client(t).GetConsumer("", "t", "g", "").AckMessage([]string{"h"})
	if _, ok := err.(errors.ErrCode); !ok {
		t.Errorf("got %v", err)
	}
}

func TestTheEndOfATransactionNamesTheGroupWithoutAnInstance(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return answer{http.StatusNoContent, ""} })
	client := server.client(t)
	for _, instance := range []string{"", "I"} {
		producer := client.GetTransProducer(instance, "t", "GID_p")
		if err := producer.Commit("h1"); err != nil {
			t.Error(err)
		}
		if err := producer.Rollback("h2"); err != nil {
			t.Error(err)
		}
	}
	for _, r := range server.got() {
		if !strings.Contains(r.target, "consumer=GID_p") {
			t.Error(r)
		}
	}
	if err := client.GetTransProducer("", "t", "GID_p").Commit(""); !stderrors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("a commit without a handle: %v", err)
	}
}

func TestAConsumeThatNobodyReadsEnds(t *testing.T) {
	asked := make(chan struct{}, 2)
	server := startPeer(t, func(int, request) answer {
		asked <- struct{}{}
		return refused(http.StatusNotFound, "MessageNotExist")
	})
	ended := make(chan struct{})
	consume := func(client *mq.AliyunMQClient) {
		client.GetConsumer("", "t", "g", "").
			ConsumeMessage(make(chan mq.ConsumeMessageResponse), make(chan error), 1, 0)
		ended <- struct{}{}
	}
	wait := func(why string) {
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on although ", why)
		}
	}
	client := server.client(t)
	go consume(client)
	<-asked
	client.Close()
	wait("the client was closed")
	go consume(newClient(t, server.endpoint, 100*time.Millisecond))
	wait("the timeout passed")
}

func TestACallEndsWithItsContextOrTheClient(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	asked := make(chan struct{}, 2)
	server := startPeer(t, func(int, request) answer {
		asked <- struct{}{}
		<-stop
		return answer{}
	})
	client := server.client(t)
	consumer := client.GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	consume := func() {
		_, err := consumer.ConsumeMessageContext(ctx, 16, 30)
		failed <- err
	}
	go consume()
	<-asked
	cancel()
	if err := <-failed; !stderrors.Is(err, context.Canceled) || !stderrors.Is(err, tminus.ErrCancelled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx = t.Context()
	go consume()
	<-asked
	client.Close()
	if err := <-failed; !stderrors.Is(err, tminus.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := consumer.ConsumeMessageContext(ctx, 16, 0); !stderrors.Is(err, tminus.ErrClosed) {
		t.Errorf("after: %v", err)
	}
}

func TestAnAnswerThatIsNoXMLKeepsItsStatus(t *testing.T) {
	pages := []answer{
		{http.StatusBadGateway, "<html><body>Bad Gateway</body></html>"},
		{http.StatusInternalServerError, ""},
		{http.StatusServiceUnavailable, "upstream is away"},
	}
	server := startPeer(t, func(n int, _ request) answer { return pages[(n-1)%len(pages)] })
	client := server.client(t)
	for _, page := range pages {
		_, err := client.GetProducer("", "t").PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
		e := checkError(t, err, &mq.ErrUnmarshalErrorResponseFailed, tminus.ErrServer)
		if int(e.ResponseCode) != page.status || e.Outcome != tminus.MaybeSent {
			t.Errorf("status %d, outcome %v", e.ResponseCode, e.Outcome)
		}
		if text := err.Error(); !strings.Contains(text, fmt.Sprint(page.status)) || !strings.Contains(text, page.body) {
			t.Error(text)
		}
	}
	for _, page := range pages {
		consumer := client.GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
		_, err := consumer.ConsumeMessageContext(t.Context(), 1, 0)
		if e := checkError(t, err, &mq.ErrUnmarshalErrorResponseFailed, tminus.ErrServer); int(e.ResponseCode) != page.status {
			t.Errorf("status %d", e.ResponseCode)
		}
	}
}

func TestPropertiesOfOthersAreNotLost(t *testing.T) {
	server := startPeer(t, func(int, request) answer {
		return delivered("<MessageBodyMD5>" + digest("b") + "</MessageBodyMD5><MessageBody>b</MessageBody>" +
			"<Properties>url:http://h:1/p|__STARTDELIVERTIME:soon|KEYS:k|</Properties>")
	})
	consumer := server.client(t).GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
	resp, err := consumer.ConsumeMessageContext(t.Context(), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"url": "http://h:1/p", mq.StartDeliverTime: "soon"}
	if got := resp.Messages[0]; !maps.Equal(got.Properties, want) || got.MessageKey != "k" || got.StartDeliverTime != 0 {
		t.Errorf("%+v", got)
	}
}

func TestABodyThatDoesNotFitItsMD5IsNotHandedOut(t *testing.T) {
	good := "<MessageBodyMD5>" + digest("b") + "</MessageBodyMD5><MessageBody>b</MessageBody>"
	bad := "<MessageBodyMD5>" + digest("b") + "</MessageBodyMD5><MessageBody>c</MessageBody>"
	server := startPeer(t, func(n int, r request) answer {
		switch {
		case r.method == http.MethodPost:
			return stored(digest("c"))
		case n == 1:
			return delivered(good, bad)
		default:
			return delivered(bad)
		}
	})
	client := server.client(t)
	consumer := client.GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
	resp, err := consumer.ConsumeMessageContext(t.Context(), 2, 0)
	if err != nil || len(resp.Messages) != 1 || resp.Messages[0].MessageId != "M0" || resp.Messages[0].RequestId != "R1" {
		t.Errorf("%+v, %v", resp, err)
	}
	_, err = consumer.ConsumeMessageContext(t.Context(), 2, 0)
	checkError(t, err, &mq.ErrUnmarshalResponseFailed, tminus.ErrProtocol)
	_, err = client.GetProducer("", "t").PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
	if e := checkError(t, err, &mq.ErrUnmarshalResponseFailed, tminus.ErrServer); e.Outcome != tminus.Done {
		t.Errorf("outcome %v", e.Outcome)
	}
}

func TestAServerWithAnIPv6AddressIsReached(t *testing.T) {
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	server := servePeer(t, listener, func(int, request) answer { return stored(digest("b")) })
	_, err = server.client(t).GetProducer("", "t").PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
	if err != nil {
		t.Error(err)
	}
}

// The official module defines its numbers with gogap too; a second definition of one would end the process.
var officialErrMqServer = errors.TN("MQ", 101, "defined by the official module")

func TestTheOfficialModuleCanBeLinkedToo(t *testing.T) {
	if !mq.ErrMqServer.IsEqual(officialErrMqServer.New()) {
		t.Error("the numbers differ")
	}
}

func TestMoreThan512CallsAreUnderWayAtOnce(t *testing.T) {
	const calls = 600
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 3*calls {
		t.Skip("too few files may be open: ", limit.Cur)
	}
	var asked atomic.Int32
	all := make(chan struct{})
	server := startPeer(t, func(int, request) answer {
		if asked.Add(1) == calls {
			close(all)
		}
		<-all
		return refused(http.StatusNotFound, "MessageNotExist")
	})
	consumer := newClient(t, server.endpoint, 30*time.Second).GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
	failures := make(chan error, calls)
	for range calls {
		go func() {
			_, err := consumer.ConsumeMessageContext(t.Context(), 1, 0)
			failures <- err
		}()
	}
	for range calls {
		if err := <-failures; !stderrors.Is(err, tminus.ErrMessageNotFound) {
			t.Fatal(err)
		}
	}
}
