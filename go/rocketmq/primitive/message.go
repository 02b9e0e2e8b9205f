package primitive

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
)

// Names of the properties that programs set or read by hand.
const (
	PropertyKeySeparator                  = " "
	PropertyKeys                          = "KEYS"
	PropertyTags                          = "TAGS"
	PropertyDelayTimeLevel                = "DELAY"
	PropertyRetryTopic                    = "RETRY_TOPIC"
	PropertyRealTopic                     = "REAL_TOPIC"
	PropertyMinOffset                     = "MIN_OFFSET"
	PropertyMaxOffset                     = "MAX_OFFSET"
	PropertyOriginMessageId               = "ORIGIN_MESSAGE_ID"
	PropertyReconsumeTime                 = "RECONSUME_TIME"
	PropertyMsgRegion                     = "MSG_REGION"
	PropertyTraceSwitch                   = "TRACE_ON"
	PropertyUniqueClientMessageIdKeyIndex = "UNIQ_KEY"
	PropertyMaxReconsumeTimes             = "MAX_RECONSUME_TIMES"
	PropertyShardingKey                   = "SHARDING_KEY"
)

// Message is a message to send. Its properties are safe for concurrent use; its fields are not.
type Message struct {
	Topic         string
	Body          []byte
	Flag          int32
	TransactionId string
	// Queue is where the message goes when the producer uses NewManualQueueSelector, and where a received one came from.
	Queue *MessageQueue

	mutex      sync.RWMutex
	properties map[string]string
}

// NewMessage makes a message for topic with body.
func NewMessage(topic string, body []byte) *Message {
	return &Message{Topic: topic, Body: body}
}

// WithProperty sets a property; an empty key or value is ignored.
func (m *Message) WithProperty(key, value string) {
	if key == "" || value == "" {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.properties == nil {
		m.properties = make(map[string]string)
	}
	m.properties[key] = value
}

// WithProperties replaces all properties. The map belongs to the message from then on.
func (m *Message) WithProperties(p map[string]string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.properties = p
}

// WithTag sets the tag, by which consumers filter.
func (m *Message) WithTag(tags string) *Message { return m.with(PropertyTags, tags) }

// WithKeys sets the index keys.
func (m *Message) WithKeys(keys []string) *Message {
	return m.with(PropertyKeys, strings.Join(keys, PropertyKeySeparator))
}

// WithShardingKey sets the key by which NewHashQueueSelector picks the queue.
func (m *Message) WithShardingKey(key string) *Message { return m.with(PropertyShardingKey, key) }

// WithDelayTimeLevel delays the message by the server's level 1 to 18: 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m
// 20m 30m 1h 2h.
func (m *Message) WithDelayTimeLevel(level int) *Message {
	return m.with(PropertyDelayTimeLevel, strconv.Itoa(level))
}

func (m *Message) with(key, value string) *Message {
	m.WithProperty(key, value)
	return m
}

// GetProperty is the value of a property, or "".
func (m *Message) GetProperty(key string) string {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	return m.properties[key]
}

// RemoveProperty deletes a property and returns the value it had.
func (m *Message) RemoveProperty(key string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	value := m.properties[key]
	delete(m.properties, key)
	return value
}

// GetProperties is a copy of all properties.
func (m *Message) GetProperties() map[string]string {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	properties := make(map[string]string, len(m.properties))
	maps.Copy(properties, m.properties)
	return properties
}

// GetTags is the tag.
func (m *Message) GetTags() string { return m.GetProperty(PropertyTags) }

// GetKeys are the index keys, separated by spaces.
func (m *Message) GetKeys() string { return m.GetProperty(PropertyKeys) }

// GetShardingKey is the key set by WithShardingKey.
func (m *Message) GetShardingKey() string { return m.GetProperty(PropertyShardingKey) }

func (m *Message) String() string {
	return fmt.Sprintf("[topic=%s, body=%s, Flag=%d, properties=%v, TransactionId=%s]",
		m.Topic, m.Body, m.Flag, m.GetProperties(), m.TransactionId)
}

// MessageExt is a received message. All times are Unix milliseconds.
type MessageExt struct {
	Message
	MsgId                     string
	OffsetMsgId               string
	StoreSize                 int32
	QueueOffset               int64
	SysFlag                   int32
	BornTimestamp             int64
	BornHost                  string
	StoreTimestamp            int64
	StoreHost                 string
	CommitLogOffset           int64
	BodyCRC                   int32
	ReconsumeTimes            int32
	PreparedTransactionOffset int64
}

// GetRegionID is the region the message was sent to.
func (m *MessageExt) GetRegionID() string { return m.GetProperty(PropertyMsgRegion) }

// IsTraceOn is the value of the trace switch.
func (m *MessageExt) IsTraceOn() string { return m.GetProperty(PropertyTraceSwitch) }

func (m *MessageExt) String() string {
	queue := 0
	if m.Queue != nil {
		queue = m.Queue.QueueId
	}
	return fmt.Sprintf("[Message=%s, MsgId=%s, OffsetMsgId=%s,QueueId=%d, StoreSize=%d, QueueOffset=%d, SysFlag=%d, "+
		"BornTimestamp=%d, BornHost=%s, StoreTimestamp=%d, StoreHost=%s, CommitLogOffset=%d, BodyCRC=%d, "+
		"ReconsumeTimes=%d, PreparedTransactionOffset=%d]",
		m.Message.String(), m.MsgId, m.OffsetMsgId, queue, m.StoreSize, m.QueueOffset, m.SysFlag,
		m.BornTimestamp, m.BornHost, m.StoreTimestamp, m.StoreHost, m.CommitLogOffset, m.BodyCRC,
		m.ReconsumeTimes, m.PreparedTransactionOffset)
}

// MessageQueue is one queue of a topic on one broker.
type MessageQueue struct {
	Topic      string `json:"topic"`
	BrokerName string `json:"brokerName"`
	QueueId    int    `json:"queueId"`
}

func (q *MessageQueue) String() string {
	if q == nil {
		return "MessageQueue []"
	}
	return fmt.Sprintf("MessageQueue [topic=%s, brokerName=%s, queueId=%d]", q.Topic, q.BrokerName, q.QueueId)
}
