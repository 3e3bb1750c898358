// A witness of another make than ours, on the packages that the go command checks its modules with: it cosigns a ledger as C2SP
// tlog-witness has it. Run by tlog_witnesses.py, with `key NAME` or `serve NAME ADDRESS VERIFIER-KEY`, the last the ledger's. Its key
// is made from its name.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type witness struct {
	name string
	key  ed25519.PrivateKey
	log  note.Verifier
	lock sync.Mutex
	seen tlog.Tree
}

// The public key behind the byte of cosignature/v1, and the id of both under the witness's name.
func (w *witness) public() ([]byte, []byte) {
	public := append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)
	id := sha256.Sum256(append([]byte(w.name+"\n"), public...))
	return public, id[:4]
}

func (w *witness) cosign(text string) string {
	now := time.Now().Unix()
	_, line := w.public()
	line = binary.BigEndian.AppendUint64(line[:4:4], uint64(now))
	line = append(line, ed25519.Sign(w.key, []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", now, text)))...)
	return fmt.Sprintf("— %s %s\n", w.name, base64.StdEncoding.EncodeToString(line))
}

// The status and the body of the answer to a request.
func (w *witness) add(body []byte) (int, string) {
	head, signed, _ := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return http.StatusBadRequest, err.Error()
		}
		proof = append(proof, hash)
	}
	opened, err := note.Open(signed, note.VerifierList(w.log))
	if err != nil {
		return http.StatusForbidden, err.Error()
	}
	// Of the form that the checksum database's own tree has, but for its name.
	if !strings.HasPrefix(opened.Text, w.log.Name()+"\n") {
		return http.StatusNotFound, opened.Text
	}
	tree, err := tlog.ParseTree([]byte("go.sum database tree" + strings.TrimPrefix(opened.Text, w.log.Name())))
	if err != nil || old > tree.N {
		return http.StatusBadRequest, fmt.Sprint("old ", old, ": ", err)
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	if old != w.seen.N {
		return http.StatusConflict, fmt.Sprintln(w.seen.N)
	}
	if old > 0 {
		err = tlog.CheckTree(proof, tree.N, tree.Hash, old, w.seen.Hash)
	} else if len(proof) > 0 {
		err = fmt.Errorf("a proof from nothing")
	}
	if err != nil {
		return http.StatusUnprocessableEntity, err.Error()
	}
	w.seen = tree
	return http.StatusOK, w.cosign(opened.Text)
}

func (w *witness) ServeHTTP(answer http.ResponseWriter, asked *http.Request) {
	if asked.Method != http.MethodPost || asked.URL.Path != "/add-checkpoint" {
		http.NotFound(answer, asked)
		return
	}
	body, err := io.ReadAll(asked.Body)
	if err != nil {
		return
	}
	status, said := w.add(body)
	if status == http.StatusConflict {
		answer.Header().Set("Content-Type", "text/x.tlog.size")
	}
	log.Print(status, " ", strings.SplitN(string(body), "\n", 2)[0], ": ", strings.TrimSpace(said))
	answer.WriteHeader(status)
	io.WriteString(answer, said)
}

func main() {
	seed := sha256.Sum256([]byte(os.Args[2]))
	w := &witness{name: os.Args[2], key: ed25519.NewKeyFromSeed(seed[:])}
	if os.Args[1] == "key" {
		public, id := w.public()
		fmt.Printf("%s+%x+%s\n", w.name, id, base64.StdEncoding.EncodeToString(public))
		return
	}
	verifier, err := note.NewVerifier(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	w.log = verifier
	log.Fatal(http.ListenAndServe(os.Args[3], w))
}
