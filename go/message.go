package tminus

import (
	"strings"
	"time"
)

// Message is a message to send. Sending does not change it; it must not be changed while a call uses it.
type Message struct {
	// Topic: 1 to 127 letters, digits, '%', '|', '-' or '_'.
	Topic string
	// Body: 1 byte to 4 MiB.
	Body []byte
	// Tag, by which consumers filter; "": none.
	Tag string
	// Keys, by which a message can be looked up later.
	Keys []string
	// Properties that travel beside the body. The raw delivery properties of the servers' documents
	// (__STARTDELIVERTIME, TIMER_DELIVER_MS, DELAY, …) are understood like the fields below.
	Properties map[string]string
	// Flag is a number of the user's own.
	Flag int32

	// DeliverAt is when consumers get the message, to the millisecond; a past time means at once. Zero: at once.
	// At most one of DeliverAt, DeliverAfter and DelayLevel may be set.
	DeliverAt time.Time
	// DeliverAfter is how long after the send call consumers get the message. Zero: at once.
	DeliverAfter time.Duration
	// DelayLevel is the server's delay level 1 to 18 (1s 5s 10s 30s 1m … 2h). Zero: at once.
	DelayLevel int

	// MessageGroup: messages of one group keep their order on a FIFO topic (over remoting: go to one queue); "": none.
	MessageGroup string
	// Priority, 0 and up, for topics that keep priorities; nil: none.
	Priority *int
}

// MessageQueue is one queue of a topic on one broker.
type MessageQueue struct {
	Topic string
	// Broker is the name of the broker, not its address.
	Broker string
	// ID is the number of the queue within topic and broker, from 0.
	ID int32
}

// MessageView is a received message.
type MessageView struct {
	Topic string
	Body  []byte
	// Properties are everything set by producer, server and client.
	Properties map[string]string
	// MessageID is the producer's unique id, or the server's where there is none.
	MessageID string
	// OffsetMessageID is the server's id.
	OffsetMessageID string
	// Queue is where it lay; its broker is empty where unknown.
	Queue MessageQueue
	// QueueOffset is the position in the queue, CommitLogOffset that in the broker's log.
	QueueOffset, CommitLogOffset int64
	// StoreSize is the size of the record on the broker, in bytes.
	StoreSize int32
	// Flag is the producer's number, SysFlag holds the protocol's bits, BodyCRC the checksum of the stored body.
	Flag, SysFlag, BodyCRC int32
	// BornAt is when the producer made it, BornHost the producer's address.
	BornAt   time.Time
	BornHost string
	// StoredAt is when the broker stored it (a scheduled one: when it became visible), StoreHost the broker's address.
	StoredAt  time.Time
	StoreHost string
	// DeliverAt is the delivery time that was asked for; zero where it was not scheduled to an absolute time.
	DeliverAt time.Time
	// ReconsumeTimes is how often it was delivered before.
	ReconsumeTimes int32
	// PreparedTransactionOffset is the position of the half message of a transaction.
	PreparedTransactionOffset int64
}

// The properties in which tag, keys and message group travel.
const (
	propertyTags         = "TAGS"
	propertyKeys         = "KEYS"
	propertyMessageGroup = "__SHARDINGKEY"
)

// Tag is the producer's tag.
func (m *MessageView) Tag() string { return m.Properties[propertyTags] }

// Keys are the producer's keys.
func (m *MessageView) Keys() []string { return strings.Fields(m.Properties[propertyKeys]) }

// MessageGroup is the group whose messages keep their order; "": none.
func (m *MessageView) MessageGroup() string { return m.Properties[propertyMessageGroup] }

// DeliveryAttempt is which delivery this is, from 1.
func (m *MessageView) DeliveryAttempt() int { return int(m.ReconsumeTimes) + 1 }

func joinKeys(keys []string) string { return strings.Join(keys, " ") }
