// Vault's own core and HTTP handler in one small program, in memory, for tests: what `vault server` runs, with the
// engines and login methods that the service uses, and without the hundreds of packages of the others.
// Prints one line of JSON: its address, root token and unseal key. Ends when its standard input ends.
package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	log "github.com/hashicorp/go-hclog"
	jwtauth "github.com/hashicorp/vault-plugin-auth-jwt"
	kubeauth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// What Vault asks of its list of built-in plugins. Ours are given as factories below, so it has nothing to start.
type builtin struct{}

var types = map[string]consts.PluginType{
	"kv":         consts.PluginTypeSecrets,
	"approle":    consts.PluginTypeCredential,
	"jwt":        consts.PluginTypeCredential,
	"kubernetes": consts.PluginTypeCredential,
}

func (builtin) Contains(name string, kind consts.PluginType) bool { return types[name] == kind }
func (builtin) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	return func() (interface{}, error) { return nil, fmt.Errorf("%s is given as a factory", name) }, types[name] == kind
}
func (builtin) Keys(kind consts.PluginType) (names []string) {
	for name, is := range types {
		if is == kind {
			names = append(names, name)
		}
	}
	return names
}
func (builtin) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, types[name] == kind
}
func (builtin) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	ctx := context.Background()
	logger := log.New(&log.LoggerOptions{Level: log.Error, Output: os.Stderr})
	core := must(vault.NewCore(&vault.CoreConfig{
		Physical:        must(inmem.NewInmem(nil, logger)),
		Logger:          logger,
		DisableMlock:    true,
		BuiltinRegistry: builtin{},
		LogicalBackends: map[string]logical.Factory{
			"kv": kv.Factory,
		},
		CredentialBackends: map[string]logical.Factory{
			"approle":    approle.Factory,
			"jwt":        jwtauth.Factory,
			"kubernetes": kubeauth.Factory,
		},
	}))
	init := must(core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	}))
	must(core.Unseal(init.SecretShares[0]))

	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	scheme := "http"
	if len(os.Args) == 3 {
		// Read for every connection, so that a replaced certificate is used without a restart.
		listener = tls.NewListener(listener, &tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				pair, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
				return &pair, err
			},
		})
		scheme = "https"
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core})
	go http.Serve(listener, handler)

	must(fmt.Println(string(must(json.Marshal(map[string]string{
		"address": scheme + "://" + listener.Addr().String(),
		"token":   init.RootToken,
		"key":     hex.EncodeToString(init.SecretShares[0]),
	})))))
	io.Copy(io.Discard, os.Stdin)
}
