//go:build !cgo

package capi

// The core of tminus is a C library. This line does not compile, so that a build without cgo ends with its name.
var _ = tminus_needs_cgo_set_CGO_ENABLED_1_and_install_a_C_compiler
