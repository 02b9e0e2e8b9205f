package mq_http_sdk_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	mq "github.com/tminus-mq/tminus/go/mqhttp"
)

// A server of these tests' own, for what no broker would do.

// request is what a peer was asked.
type request struct {
	method, target, body string
}

// answer is what it says; the zero value closes the connection without a word.
type answer struct {
	status int
	body   string
}

type peer struct {
	endpoint string

	mutex    sync.Mutex
	requests []request
}

// startPeer answers every request with what answers says, n counting from 1.
func startPeer(t *testing.T, answers func(n int, r request) answer) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return servePeer(t, listener, answers)
}

func servePeer(t *testing.T, listener net.Listener, answers func(n int, r request) answer) *peer {
	p := &peer{endpoint: "http://" + listener.Addr().String()}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, _ := io.ReadAll(in.Body)
		r := request{in.Method, in.RequestURI, string(body)}
		p.mutex.Lock()
		p.requests = append(p.requests, r)
		n := len(p.requests)
		p.mutex.Unlock()
		a := answers(n, r)
		if a.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/xml;charset=utf-8")
		w.Header().Set("x-mq-request-id", fmt.Sprintf("R%d", n))
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return p
}

func (p *peer) got() []request {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append([]request(nil), p.requests...)
}

// newClient makes a client with keys and closes it with the test.
func newClient(t *testing.T, endpoint string, timeout time.Duration) *mq.AliyunMQClient {
	t.Helper()
	client := mq.NewAliyunMQClientWithTimeout(endpoint, "key", "secret", "", timeout).(*mq.AliyunMQClient)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func (p *peer) client(t *testing.T) *mq.AliyunMQClient {
	return newClient(t, p.endpoint, 5*time.Second)
}

// stored is the answer to a publish of body.
func stored(digest string) answer {
	return answer{http.StatusCreated, "<Message><MessageId>1E05</MessageId><MessageBodyMD5>" + digest + "</MessageBodyMD5></Message>"}
}

// delivered is the answer to a consume, with the properties as they stand.
func delivered(bodies ...string) answer {
	var text strings.Builder
	text.WriteString("<Messages>")
	for i, message := range bodies {
		fmt.Fprintf(&text, "<Message><MessageId>M%d</MessageId><ReceiptHandle>h%d</ReceiptHandle>%s"+
			"<PublishTime>1700000000000</PublishTime><NextConsumeTime>%d</NextConsumeTime>"+
			"<FirstConsumeTime>1700000000001</FirstConsumeTime><ConsumedTimes>1</ConsumedTimes></Message>",
			i, i, message, time.Now().Add(time.Minute).UnixMilli())
	}
	text.WriteString("</Messages>")
	return answer{http.StatusOK, text.String()}
}

func refused(status int, code string) answer {
	return answer{status, "<Error><Code>" + code + "</Code><Message>no</Message><RequestId>R</RequestId><HostId>h</HostId></Error>"}
}
