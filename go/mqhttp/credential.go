package mq_http_sdk

// Credential is what requests are signed with.
type Credential interface {
	AccessKeyId() string
	AccessKeySecret() string
	// SecurityToken of temporary credentials; "": none.
	SecurityToken() string
}

// MQCredential is a fixed [Credential].
type MQCredential struct {
	accessKeyId, accessKeySecret, securityToken string
}

// NewMQCredential keeps the three texts.
func NewMQCredential(accessKeyId string, accessKeySecret string, securityToken string) *MQCredential {
	return &MQCredential{accessKeyId, accessKeySecret, securityToken}
}

// AccessKeyId is sent with every request.
func (p *MQCredential) AccessKeyId() string { return p.accessKeyId }

// AccessKeySecret signs and is never sent.
func (p *MQCredential) AccessKeySecret() string { return p.accessKeySecret }

// SecurityToken is sent with every request, if there is one.
func (p *MQCredential) SecurityToken() string { return p.securityToken }

// String keeps the secrets out of logs.
func (p *MQCredential) String() string { return "MQCredential(" + p.accessKeyId + ")" }

// GoString keeps the secrets out of %#v.
func (p *MQCredential) GoString() string { return p.String() }
