"""A first walk, cell by cell: run it whole, or open it in an editor that knows "# %%" cells (VS Code, Spyder).

pip install exegesis
"""

# %% A model. Without an argument the bundled one: is an English sentence about a film positive or negative?
import exegesis

model = exegesis.load()
text = "It is ridiculous, of course, but it is also refreshing."

# %% One text gives one result. In a notebook the result shows itself in colour.
result = exegesis.explain(model, text, method="integrated-gradients")
print(result.prediction.label, f"{result.prediction.probability:.1%}")
for word in result.top(3):
    print(f"  {word.score:+.2f}  {word.text}")

# %% The account: what was explained is the words, what no word carries, and a gap that nobody explains.
words = float(result.scores.sum())
print(f"{result.target} = {result.explained:.3f}: words {words:.3f}, {result.account}, gap {result.gap:.1e}")

# %% Phrases and clauses. Leave-one-out removes each as a whole, others sum their words.
for clause in exegesis.explain(model, text, "leave-one-out", level="all").rows("clause"):
    print(f"  {clause.score:+.2f}  {clause.text}")

# %% Any number: every class at once, a probability, one class against another.
both = exegesis.explain(model, text, target="all")
print(both.targets, both.for_target("positive").top(1)[0].text)
print(exegesis.explain(model, text, "leave-one-out", target="probability:positive").top(1))
print(exegesis.explain(model, text, "gradient-x-input", target="margin:positive,negative").top(1))

# %% Any spans of words, here "of course".
spans = exegesis.explain(model, text, "leave-one-out", spans=[(4, 6)])
print(spans.rows("span"))

# %% A list gives a list; views and files come from the result.
results = exegesis.explain(model, [text, "A fine film.", "Not bad at all."], progress=True)
print(results[1].to_pandas())
where = exegesis.save(results, "quickstart.json")
assert exegesis.read(where)[0].top(3) == results[0].top(3)
results[2].save("quickstart.html")
