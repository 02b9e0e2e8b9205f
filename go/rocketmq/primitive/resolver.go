package primitive

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// NsResolver says where the name servers are. It is asked once, when the producer or consumer starts.
type NsResolver interface {
	Resolve() []string
	Description() string
}

// NewPassthroughResolver is the fixed list addr; where that is nil, the environment variable NAMESRV_ADDR.
func NewPassthroughResolver(addr []string) NsResolver { return passthroughResolver(addr) }

type passthroughResolver []string

func (p passthroughResolver) Resolve() []string {
	if p == nil {
		return NewEnvResolver().Resolve()
	}
	return p
}

func (p passthroughResolver) Description() string {
	return fmt.Sprintf("passthrough resolver of %v", []string(p))
}

// EnvResolver reads NAMESRV_ADDR, addresses separated by semicolons.
type EnvResolver struct{}

// NewEnvResolver makes an EnvResolver.
func NewEnvResolver() *EnvResolver { return &EnvResolver{} }

// Resolve reads the variable.
func (*EnvResolver) Resolve() []string {
	if v := os.Getenv("NAMESRV_ADDR"); v != "" {
		return strings.Split(v, ";")
	}
	return nil
}

// Description names the resolver.
func (*EnvResolver) Description() string { return "env resolver of var NAMESRV_ADDR" }

// HttpResolver asks a web address for the list, addresses separated by semicolons. It writes no snapshot file.
type HttpResolver struct {
	domain   string
	instance string
}

// NewHttpResolver makes a resolver that asks domain[0].
func NewHttpResolver(instance string, domain ...string) *HttpResolver {
	h := &HttpResolver{instance: instance}
	if len(domain) > 0 {
		h.domain = domain[0]
	}
	return h
}

// Resolve asks the web address; where it gives no list, NAMESRV_ADDR is read.
func (h *HttpResolver) Resolve() []string {
	if list := h.get(); list != "" {
		return strings.Split(list, ";")
	}
	return NewEnvResolver().Resolve()
}

func (h *HttpResolver) get() string {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(h.domain)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	const most = 64 << 10
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(body))
}

// Description names the resolver.
func (h *HttpResolver) Description() string {
	return fmt.Sprintf("http resolver of domain:%v instance:%v", h.domain, h.instance)
}

// NamesrvAddr is a list of name servers. Host names are allowed beside IP addresses.
type NamesrvAddr []string

// NewNamesrvAddr takes addresses, or one text of addresses separated by semicolons.
func NewNamesrvAddr(s ...string) (NamesrvAddr, error) {
	if len(s) == 1 {
		s = strings.Split(s[0], ";")
	}
	addr := NamesrvAddr(s)
	return addr, addr.Check()
}

// Check reports an empty list or entry. Whether an address is usable is found out at the start.
func (addr NamesrvAddr) Check() error {
	if len(addr) == 0 {
		return errors.New("no name server given; use host:port")
	}
	for _, a := range addr {
		if strings.TrimSpace(a) == "" || strings.Contains(a, ";") {
			return fmt.Errorf("%q is not one name server address; use host:port", a)
		}
	}
	return nil
}
