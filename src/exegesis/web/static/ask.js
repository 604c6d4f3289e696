// Requests to the server that this page came from.

async function refused(answer) {
  let said = `the server answered ${answer.status}`;
  try { said = (await answer.json()).error ?? said; } catch { /* no JSON: the status must do */ }
  return new Error(said);
}

const post = (path, body, signal) =>
  fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });

export async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw await refused(answer);
  return answer.json();
}

// The last event of a stream; `heard` is called with the others. Aborting the signal takes the request back.
export async function ask(body, heard = () => {}, signal = undefined) {
  const answer = await post("/api/stream", body, signal);
  if (!answer.ok) throw await refused(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the server ended the answer too early");
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.event === "done") return event;
      if (event.event === "error") throw new Error(event.error);
      heard(event);
    }
  }
}

export async function download(body, form) {
  const answer = await post("/api/explain", { ...body, form });
  if (!answer.ok) throw await refused(answer);
  const content = form === "results" ? JSON.stringify((await answer.json()).results, null, 1) : await answer.blob();
  const place = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = place;
  link.download = `explanation.${form === "results" ? "json" : form}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(place), 10_000);
}
