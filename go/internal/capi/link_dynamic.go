//go:build cgo && dynamic

package capi

// #cgo pkg-config: tminus
import "C"

// Linked says how the core was linked.
const Linked = "dynamic"
