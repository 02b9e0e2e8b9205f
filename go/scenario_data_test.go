package tminus_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The scenario files as types; an unknown field is an error.

const scenarioFolder = "../core/tests/scenarios"

type scenario struct {
	ID        string            `json:"id"`
	Title     string            `json:"title"`
	Protocols []string          `json:"protocols"`
	NotOn     map[string]string `json:"not_on"`
	Broker    struct {
		Clock            string   `json:"clock"`
		TLS              bool     `json:"tls"`
		Users            []string `json:"users"`
		AutoCreateTopics *bool    `json:"auto_create_topics"`
		Persona          string   `json:"persona"`
		HTTPInvisibleMs  int      `json:"http_invisible_ms"`
	} `json:"broker"`
	Topics map[string]string    `json:"topics"`
	Groups map[string]groupSpec `json:"groups"`
	Steps  []step               `json:"steps"`
}

type groupSpec struct {
	FIFO        bool `json:"fifo"`
	MaxAttempts int  `json:"max_attempts"`
}

// step has the fields of all kinds of steps; Do says which.
type step struct {
	Do                string        `json:"do"`
	Name              string        `json:"name"`
	Endpoint          string        `json:"endpoint"`
	Retries           *int          `json:"retries"`
	Topics            []string      `json:"topics"`
	Checker           string        `json:"checker"`
	AllowDuplicates   bool          `json:"allow_duplicates"`
	BodyEncoding      string        `json:"body_encoding"`
	TLS               *tlsSpec      `json:"tls"`
	User              string        `json:"user"`
	Error             *errorSpec    `json:"error"`
	Topic             string        `json:"topic"`
	Group             string        `json:"group"`
	Filter            string        `json:"filter"`
	SQL               string        `json:"sql"`
	Orderly           bool          `json:"orderly"`
	FailFirst         int32         `json:"fail_first"`
	MaxReconsumeTimes int           `json:"max_reconsume_times"`
	Producer          string        `json:"producer"`
	As                string        `json:"as"`
	Message           *messageSpec  `json:"message"`
	Messages          []messageSpec `json:"messages"`
	Count             int           `json:"count"`
	Mode              string        `json:"mode"`
	ShardingKey       string        `json:"sharding_key"`
	TimeoutMs         int           `json:"timeout_ms"`
	End               string        `json:"end"`
	Garbage           bool          `json:"garbage"`
	Consumers         []string      `json:"consumers"`
	Consumer          string        `json:"consumer"`
	Of                labels        `json:"of"`
	Empty             bool          `json:"empty"`
	Max               int           `json:"max"`
	InvisibleMs       int           `json:"invisible_ms"`
	WaitMs            *int          `json:"wait_ms"`
	Attempt           int           `json:"attempt"`
	ToMs              int           `json:"to_ms"`
	KeepOld           bool          `json:"keep_old"`
	WithinMs          int           `json:"within_ms"`
	InOrder           bool          `json:"in_order"`
	EachGets          int           `json:"each_gets"`
	SameQueue         bool          `json:"same_queue"`
	View              *viewSpec     `json:"view"`
	LateOK            bool          `json:"late_ok"`
	ForMs             int           `json:"for_ms"`
	Ms                int64         `json:"ms"`
	Visible           *int          `json:"visible"`
	DownMs            int           `json:"down_ms"`
	Request           int32         `json:"request"`
	Times             int           `json:"times"`
	Fault             string        `json:"fault"`
	Code              int32         `json:"code"`
	What              string        `json:"what"`
}

// labels are a list, or one of them.
type labels []string

func (l *labels) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*l = labels{""}
		return json.Unmarshal(text, &(*l)[0])
	}
	return json.Unmarshal(text, (*[]string)(l))
}

type tlsSpec struct {
	Trust      string `json:"trust"`
	ServerName string `json:"server_name"`
	Insecure   bool   `json:"insecure"`
}

type errorSpec struct {
	Kind     string `json:"kind"`
	GRPCKind string `json:"grpc_kind"`
	HTTPKind string `json:"http_kind"`
	Outcome  string `json:"outcome"`
}

type messageSpec struct {
	Topic          *string           `json:"topic"`
	Body           *string           `json:"body"`
	BodyBytes      int               `json:"body_bytes"`
	Tag            string            `json:"tag"`
	Keys           []string          `json:"keys"`
	Properties     map[string]string `json:"properties"`
	DeliverAfterMs *int64            `json:"deliver_after_ms"`
	DeliverInMs    *int64            `json:"deliver_in_ms"`
	DelayLevel     int               `json:"delay_level"`
	MessageGroup   string            `json:"message_group"`
	Priority       *int              `json:"priority"`
	RawTime        *struct {
		Name string `json:"name"`
		InMs int64  `json:"in_ms"`
	} `json:"raw_time"`
}

type viewSpec struct {
	Tag            *string           `json:"tag"`
	Keys           []string          `json:"keys"`
	Properties     map[string]string `json:"properties"`
	ReconsumeTimes *int32            `json:"reconsume_times"`
	MessageGroup   *string           `json:"message_group"`
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(scenarioFolder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", scenarioFolder, err)
	}
	var all []scenario
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var some []scenario
		if err := decoder.Decode(&some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}
