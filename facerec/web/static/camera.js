import { element, find } from "./api.js";

// The camera: `take(file)` is called with each photo, `fail()` if there is none.
export function useCamera(take, fail) {
  const dialog = find("camera-dialog");
  const video = find("video");
  find("camera").addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      dialog.showModal();
    } catch {
      fail();
    }
  });
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() || []) track.stop();
    video.srcObject = null;
  });
  find("camera-dialog-cancel").addEventListener("click", () => dialog.close());
  find("shoot").addEventListener("click", () => {
    if (!video.videoWidth) return; // no frame yet
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => take(new File([blob], "camera.jpg", { type: "image/jpeg" })), "image/jpeg", 0.92);
    dialog.close();
  });
}
