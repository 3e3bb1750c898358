// A log of another make than ours, on the packages that the go command checks its modules with. Run by tlog_witnesses.py:
//
//	key ORIGIN                                  prints its verifier key, which is made from its origin
//	feed ORIGIN URL VERIFIER-KEY                has its growing tree cosigned by the witness there, whose key that is
//	cosigned URL VERIFIER-KEY VERIFIER-KEY      reads the checkpoint at this URL, signed by the first key and cosigned by the second
package main

import (
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

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A witness's key for cosignature/v1, as a verifier of the note package, which knows no such keys.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	id, err := strconv.ParseUint(parts[1], 16, 32)
	must(err)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if key[0] != 4 || binary.BigEndian.Uint32(sum[:]) != uint32(id) {
		log.Fatalf("%s is no key for cosignature/v1", vkey)
	}
	return cosigner{parts[0], uint32(id), key[1:]}
}

func (c cosigner) Name() string { return c.name }

func (c cosigner) KeyHash() uint32 { return c.id }

func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func keys(origin string) (secret, vkey string) {
	seed := sha256.Sum256([]byte(origin))
	vkey, err := note.NewEd25519VerifierKey(origin, ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	must(err)
	key := base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...))
	return "PRIVATE+KEY+" + origin + "+" + strings.Split(vkey, "+")[1] + "+" + key, vkey
}

// Asks as a log does that has just begun: from nothing, and then from the size that it is told. And what no log may do.
func feed(origin, url string, witness cosigner) {
	secret, _ := keys(origin)
	signer, err := note.NewSigner(secret)
	must(err)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (all []tlog.Hash, err error) {
		for _, index := range indexes {
			all = append(all, stored[index])
		}
		return all, nil
	})
	var known, entries int64
	for _, size := range []int64{1, 2, 255, 256, 257, 65536, 65537} {
		for ; entries < size; entries++ {
			hashes, err := tlog.StoredHashes(entries, []byte(fmt.Sprint("entry ", entries)), reader)
			must(err)
			stored = append(stored, hashes...)
		}
		root, err := tlog.TreeHash(size, reader)
		must(err)
		expect := func(what string, status int, old int64, proof tlog.TreeProof, root tlog.Hash) string {
			signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)}, signer)
			must(err)
			body := fmt.Sprintf("old %d\n", old)
			for _, hash := range proof {
				body += hash.String() + "\n"
			}
			answer, err := http.Post(url+"/add-checkpoint", "text/plain", strings.NewReader(body+"\n"+string(signed)))
			must(err)
			defer answer.Body.Close()
			said, err := io.ReadAll(answer.Body)
			must(err)
			// By its kind a log knows a size to go on from, and asks at once.
			kind := answer.Header.Get("Content-Type")
			again := kind == "text/x.tlog.size" && string(said) == fmt.Sprintln(known)
			if answer.StatusCode != status || again != (status == http.StatusConflict) {
				log.Fatalf("%s, %d over %d: %d %s %s", what, size, known, answer.StatusCode, kind, said)
			}
			return string(signed) + string(said)
		}
		other := root
		other[7] ^= 1
		var proof tlog.TreeProof
		if known > 0 {
			proof, err = tlog.ProveTree(size, known, reader)
			must(err)
			longer := append(proof[:len(proof):len(proof)], root)
			expect("a log that begins", http.StatusConflict, 0, nil, root)
			expect("another tree", http.StatusUnprocessableEntity, known, proof, other)
			expect("a hash too many", http.StatusUnprocessableEntity, known, longer, root)
		}
		cosigned := expect("a tree that goes on", http.StatusOK, known, proof, root)
		_, err = note.Open([]byte(cosigned), note.VerifierList(witness))
		must(err)
		known = size
		expect("the same again", http.StatusOK, known, nil, root)
		expect("a fork", http.StatusUnprocessableEntity, known, nil, other)
		expect("a fork, from nothing", http.StatusConflict, 0, nil, other)
		expect("an old size past the tree", http.StatusBadRequest, known+1, nil, root)
	}
	fmt.Printf("sumdb: a log of %d entries, cosigned by %s at each size\n", known, witness.name)
}

func cosigned(url, vkey string, witness cosigner) {
	answer, err := http.Get(url)
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(err)
	verifier, err := note.NewVerifier(vkey)
	must(err)
	opened, err := note.Open(text, note.VerifierList(verifier, witness))
	must(err)
	if len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 0 {
		log.Fatalf("not by these two: %s", text)
	}
	fmt.Printf("sumdb: entries of %s cosigned by %s: %s\n", verifier.Name(), witness.name, strings.Split(opened.Text, "\n")[1])
}

func main() {
	switch args := os.Args[2:]; os.Args[1] {
	case "key":
		_, vkey := keys(args[0])
		fmt.Println(vkey)
	case "feed":
		feed(args[0], args[1], newCosigner(args[2]))
	case "cosigned":
		cosigned(args[0], args[1], newCosigner(args[2]))
	}
}
