package capi

// #include "message.h"
import "C"

import (
	"net/netip"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// View is a received message, copied into Go memory.
type View struct {
	Topic, MessageID, OffsetMessageID string
	Body                              []byte
	Properties                        map[string]string
	Queue                             Queue
	QueueOffset, CommitLogOffset      int64
	PreparedTransactionOffset         int64
	DeliverAtMs, BornMs, StoreMs      int64
	InvisibleUntilMs, FirstMs         int64
	BornHost, StoreHost               string
	ReconsumeTimes, Flag, SysFlag     int32
	BodyCRC, StoreSize                int32
	Corrupted                         bool
}

// Delivery is a received message with the duty to settle it, or a half message with the duty to answer for it.
type Delivery struct {
	View  View
	batch *batch
	index C.size_t
}

// batch is freed when the last of its deliveries is settled, or when none of them is held any more; what was not settled
// then comes again.
type batch struct {
	p       *C.tminus_batch_t
	left    atomic.Int64
	cleanup runtime.Cleanup
}

func freeBatch(p *C.tminus_batch_t) { C.tminus_batch_free(p) }

// Settle says what became of the message; each delivery is settled once.
func (d *Delivery) Settle(result, level int32) {
	C.tminus_batch_settle(d.batch.p, d.index, C.int32_t(result), C.int32_t(level), nil)
	d.batch.done()
}

// Answer says how the transaction of the half message ends; each is answered once.
func (d *Delivery) Answer(resolution int32) {
	C.tminus_batch_answer(d.batch.p, d.index, C.int32_t(resolution), nil)
	d.batch.done()
}

func (b *batch) done() {
	if b.left.Add(-1) == 0 {
		b.cleanup.Stop()
		freeBatch(b.p)
	}
	runtime.KeepAlive(b)
}

func copyBatch(p *C.tminus_batch_t) []*Delivery {
	b := &batch{p: p}
	views := cSlice(p.messages, p.size)
	b.left.Store(int64(len(views)))
	deliveries := make([]*Delivery, len(views))
	for i, v := range views {
		deliveries[i] = &Delivery{View: copyView(v), batch: b, index: C.size_t(i)}
	}
	if len(views) == 0 {
		freeBatch(p)
	} else {
		b.cleanup = runtime.AddCleanup(b, freeBatch, p)
	}
	return deliveries
}

func copyView(v *C.tminus_message_view_t) View {
	properties := make(map[string]string, v.property_count)
	for _, p := range cSlice(v.properties, v.property_count) {
		properties[copyText(p.name)] = copyText(p.value)
	}
	topic := copyText(v.topic)
	return View{
		Topic:                     topic,
		MessageID:                 copyText(v.message_id),
		OffsetMessageID:           copyText(v.offset_message_id),
		Body:                      C.GoBytes(unsafe.Pointer(v.body.data), C.int(v.body.len)),
		Properties:                properties,
		Queue:                     Queue{Topic: topic, Broker: copyText(v.broker), ID: int32(v.queue_id)},
		QueueOffset:               int64(v.queue_offset),
		CommitLogOffset:           int64(v.commit_log_offset),
		PreparedTransactionOffset: int64(v.prepared_transaction_offset),
		DeliverAtMs:               int64(v.deliver_at_ms),
		BornMs:                    int64(v.born_ms),
		StoreMs:                   int64(v.store_ms),
		InvisibleUntilMs:          int64(v.invisible_until_ms),
		FirstMs:                   int64(v.first_delivered_ms),
		BornHost:                  copyAddress(&v.born_host),
		StoreHost:                 copyAddress(&v.store_host),
		ReconsumeTimes:            int32(v.reconsume_times),
		Flag:                      int32(v.flag),
		SysFlag:                   int32(v.sys_flag),
		BodyCRC:                   int32(v.body_crc),
		StoreSize:                 int32(v.store_size),
		Corrupted:                 v.is_corrupted != 0,
	}
}

func copyAddress(a *C.tminus_address_t) string {
	ip, ok := netip.AddrFromSlice(C.GoBytes(unsafe.Pointer(&a.ip[0]), C.int(a.ip_len)))
	if !ok {
		return ""
	}
	return netip.AddrPortFrom(ip, uint16(a.port)).String()
}
