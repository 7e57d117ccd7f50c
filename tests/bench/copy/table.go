package main

import (
	"fmt"
	"math"
	"slices"
)

// print writes the table: our time against each contestant's of the same round, and
// against the best one's of it.
func (b *bench) print(name string) {
	fmt.Printf("\n### %s to a %s\n\n", name, map[string]string{"file": "new file", "loop": "loop device that held other data"}[b.kind])
	fmt.Println("| contestant | seconds, median (min–max) | CPU s | peak RSS MiB | snf-image takes × as long |")
	fmt.Println("|---|---|---|---|---|")
	ours := b.samples[b.players[0].name]
	best := make([]float64, len(ours))
	for _, p := range b.players {
		var wall, cpu, rss, ratio []float64
		for i, s := range b.samples[p.name] {
			wall = append(wall, s.wall.Seconds())
			cpu = append(cpu, s.cpu.Seconds())
			rss = append(rss, float64(s.rss)/(1<<20))
			ratio = append(ratio, ours[i].wall.Seconds()/s.wall.Seconds())
			if p.name != b.players[0].name && !p.floor {
				best[i] = math.Max(best[i], ratio[i])
			}
		}
		fmt.Printf("| %s | %.2f (%.2f–%.2f) | %.2f | %.0f | %.2f |\n", p.name,
			median(wall), slices.Min(wall), slices.Max(wall), median(cpu), slices.Max(rss), median(ratio))
	}
	fmt.Printf("\nAgainst the best peer of each round: %.2f.\n", median(best))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
