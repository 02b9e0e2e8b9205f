package capi

// #include "message.h"
import "C"

import (
	"time"
	"unsafe"
)

// wireMessage holds the texts of a message in one buffer, see message.h.
type wireMessage struct {
	text       []byte
	lengths    []C.size_t
	properties int
	room       [256]byte
	lengthRoom [C.TEXT_PROPERTIES + 16]C.size_t
}

func (w *wireMessage) add(s string) {
	w.text = append(w.text, s...)
	w.lengths = append(w.lengths, C.size_t(len(s)))
}

func (w *wireMessage) fill(m *Message) {
	w.text, w.lengths = w.room[:0], w.lengthRoom[:0]
	w.add(m.Topic)
	w.add(m.Tag)
	w.add(m.Keys)
	w.add(m.ShardingKey)
	if m.Queue != nil {
		w.add(m.Queue.Broker)
	} else {
		w.add("")
	}
	w.add(m.MessageGroup)
	for name, value := range m.Properties {
		w.add(name)
		w.add(value)
	}
	w.properties = len(m.Properties)
}

func (w *wireMessage) numbers(m *Message, timeoutMs C.int64_t) C.go_message_t {
	queue := C.int32_t(-1)
	if m.Queue != nil {
		queue = C.int32_t(m.Queue.ID)
	}
	priority := C.int32_t(-1)
	if m.Priority != nil {
		priority = C.int32_t(*m.Priority)
	}
	return C.go_message_t{
		property_count: C.size_t(w.properties),
		body_len:       C.size_t(len(m.Body)),
		flag:           C.int32_t(m.Flag),
		delivery:       C.int32_t(m.Delivery),
		delivery_value: C.int64_t(m.DeliveryValue),
		timeout_ms:     timeoutMs,
		queue_id:       queue,
		priority:       priority,
	}
}

// message fills a message of a batch.
func (a *arena) message(out *C.tminus_message_t, m *Message) {
	properties := (*C.tminus_property_t)(a.zeroed(C.size_t(len(m.Properties)+1), C.sizeof_tminus_property_t))
	slots := unsafe.Slice(properties, len(m.Properties)+1)
	i := 0
	for name, value := range m.Properties {
		slots[i].name, slots[i].value = a.text(name), a.text(value)
		i++
	}
	out.struct_size = C.sizeof_tminus_message_t
	out.flag = C.int32_t(m.Flag)
	out.topic, out.tag, out.keys = a.text(m.Topic), a.text(m.Tag), a.text(m.Keys)
	out.body = C.tminus_bytes_t{data: (*C.uint8_t)(a.bytes(m.Body)), len: C.size_t(len(m.Body))}
	out.properties, out.property_count = properties, C.size_t(len(m.Properties))
	out.delivery, out.delivery_value = C.int32_t(m.Delivery), C.int64_t(m.DeliveryValue)
	out.message_group = a.text(m.MessageGroup)
	if m.Priority != nil {
		out.has_priority, out.priority = 1, C.int32_t(*m.Priority)
	}
}

// setMs and setNumber override a default of the core unless the value is zero.
func setMs(field *C.int64_t, d time.Duration) {
	if d != 0 {
		*field = ms(d)
	}
}

func setNumber[T C.int32_t | C.int64_t, V int32 | int64](field *T, value V) {
	if value != 0 {
		*field = T(value)
	}
}

// cSlice is n values at p, in C memory.
func cSlice[T any](p *T, n C.size_t) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice(p, int(n))
}
