// Reads a running ledger with the packages that the go command checks its modules with: the checkpoint with sumdb/note, the
// tiles and a proof for every entry with sumdb/tlog, and the proofs that the ledger makes itself. Run by tlog_readers.py with the
// ledger's address and its verifier key.
package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
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

const height = 8

type tiles struct{ base string }

func (t tiles) Height() int { return height }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		bytes, err := t.get(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) get(path string) ([]byte, error) {
	answer, err := http.Get(t.base + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// The entries of a tile, each behind its length in two bytes.
func entries(data []byte) [][]byte {
	var all [][]byte
	for len(data) > 0 {
		length := int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:2+length])
		data = data[2+length:]
	}
	return all
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Size and root of a checkpoint that the ledger signed.
func opened(text []byte, verifier note.Verifier) (int64, tlog.Hash) {
	signed, err := note.Open(text, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(signed.Text, "\n")
	if lines[0] != verifier.Name() {
		log.Fatalf("the checkpoint is of %q", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return size, root
}

// That the tree continues smaller ones, as the ledger proves it.
func continues(from tiles, size int64, root tlog.Hash, reader tlog.HashReader) {
	for _, first := range []int64{1, 2, 3, 255, 256, 257, size - 1, size} {
		data, err := from.get(fmt.Sprintf("v1/proof/consistency?first=%d&second=%d", first, size))
		must(err)
		var answer struct{ Proof []string }
		must(json.Unmarshal(data, &answer))
		var proof tlog.TreeProof
		for _, text := range answer.Proof {
			bytes, err := hex.DecodeString(strings.TrimPrefix(text, "sha256:"))
			must(err)
			var hash tlog.Hash
			copy(hash[:], bytes)
			proof = append(proof, hash)
		}
		before, err := tlog.TreeHash(first, reader)
		must(err)
		must(tlog.CheckTree(proof, size, root, first, before))
	}
}

// That an entry is in the ledger, by the file of its own that is made for it (C2SP tlog-proof).
func included(from tiles, number int64, entry []byte, verifier note.Verifier) {
	file, err := from.get(fmt.Sprintf("v1/proof/tlog/%d", number))
	must(err)
	parts := strings.SplitN(string(file), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprint("index ", number) {
		log.Fatalf("no tlog-proof of entry %d: %s", number, file)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	size, root := opened([]byte(parts[1]), verifier)
	must(tlog.CheckRecord(proof, size, root, number, tlog.RecordHash(entry)))
}

func main() {
	from := tiles{strings.TrimSuffix(os.Args[1], "/")}
	verifier, err := note.NewVerifier(os.Args[2])
	must(err)
	text, err := from.get("checkpoint")
	must(err)
	size, root := opened(text, verifier)

	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, from)
	computed, err := tlog.TreeHash(size, reader)
	must(err)
	if computed != root {
		log.Fatal("the tiles are another tree's than the checkpoint's")
	}
	continues(from, size, root, reader)
	var number int64
	for index := int64(0); number < size; index++ {
		width := int(min(size-number, 1<<height))
		tile := tlog.Tile{H: height, L: -1, N: index, W: width}
		data, err := from.get(strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1))
		must(err)
		for _, entry := range entries(data) {
			proof, err := tlog.ProveRecord(size, number, reader)
			must(err)
			must(tlog.CheckRecord(proof, size, root, number, tlog.RecordHash(entry)))
			if number%128 < 2 || number == size-1 {
				included(from, number, entry, verifier)
			}
			number++
		}
	}
	fmt.Printf("sumdb: %d entries of %s, each proven under the checkpoint\n", number, verifier.Name())
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
