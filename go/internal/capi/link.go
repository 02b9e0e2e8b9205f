//go:build cgo && !dynamic

package capi

// #cgo linux,amd64 LDFLAGS: ${SRCDIR}/lib/linux_amd64/libtminus.a -lm -ldl -lpthread
// #cgo linux,arm64 LDFLAGS: ${SRCDIR}/lib/linux_arm64/libtminus.a -lm -ldl -lpthread
// #cgo darwin,amd64 LDFLAGS: ${SRCDIR}/lib/darwin_amd64/libtminus.a -framework Security -framework CoreFoundation
// #cgo darwin,arm64 LDFLAGS: ${SRCDIR}/lib/darwin_arm64/libtminus.a -framework Security -framework CoreFoundation
import "C"

// Linked says how the core was linked.
const Linked = "static"
