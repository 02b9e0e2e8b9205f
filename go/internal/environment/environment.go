// Package environment reads what a program can be told without a change, where the API it was written for has no place for it.
package environment

import (
	"os"

	tminus "github.com/tminus-mq/tminus/go"
)

const (
	// CA is the variable that names a PEM file with the certificate authorities to trust in place of the system's.
	CA = "TMINUS_TLS_CA"
	// ServerName is the variable that overrides the name to expect in the server's certificate.
	ServerName = "TMINUS_TLS_SERVER_NAME"
)

// TLS verifies as the two variables say; without them against the authorities of the system.
func TLS() (*tminus.TLSConfig, error) {
	config := &tminus.TLSConfig{ServerName: os.Getenv(ServerName)}
	file := os.Getenv(CA)
	if file == "" {
		return config, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, &tminus.Error{
			Kind:      tminus.ErrIO,
			Operation: "start",
			Text:      "start: cannot read the certificate authority named by " + CA + ": " + err.Error(),
		}
	}
	config.CA = pem
	return config, nil
}
