// Times in the visitor's time zone.
for (const time of document.querySelectorAll("time.local")) {
  time.textContent = new Date(time.dateTime).toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
}
